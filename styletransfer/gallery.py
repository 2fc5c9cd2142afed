"""Photos under several models on one page, any two of them under a slider, with the time and size of each.

python -m styletransfer.gallery MODEL MODEL... --data FOLDER -o PAGE.html
python -m styletransfer.gallery runs/RUN mine.onnx --data photo.jpg --keep-colors
"""

from common.commands.gallery import gallery
from styletransfer.task import TASK

if __name__ == "__main__":
    gallery(TASK, __doc__)
