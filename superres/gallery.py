"""Photos under several models on one page, any two of them under a slider, with the time and size of each.

python -m superres.gallery MODEL MODEL... --data FOLDER -o PAGE.html
python -m superres.gallery 2x runs/RUN theirs_2x.pth mine.onnx --data photo.jpg
python -m superres.gallery 2x theirs_4x.pth --data FOLDER --scale 4           models of different scales
"""

from common.commands.gallery import gallery
from superres.task import TASK

if __name__ == "__main__":
    gallery(TASK, __doc__)
