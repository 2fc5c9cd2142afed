"""Measures how well a model paints: its loss, that of optimising the pixels, and the seconds of both.

python -m styletransfer.evaluate MODEL.safetensors --data FOLDER
python -m styletransfer.evaluate MODEL.safetensors --data FOLDER --optimize 50 100 300 500 --size 512
"""

from common.commands.evaluate import evaluate
from styletransfer.task import TASK

if __name__ == "__main__":
    evaluate(TASK, __doc__)
