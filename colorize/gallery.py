"""Photos under several models on one page, any two of them under a slider, with the time and size of each.

python -m colorize.gallery MODEL MODEL... --data FOLDER -o PAGE.html
python -m colorize.gallery runs/RUN mine.onnx --data old.jpg --saturation 1.5
"""

from colorize.task import TASK
from common.commands.gallery import gallery

if __name__ == "__main__":
    gallery(TASK, __doc__)
