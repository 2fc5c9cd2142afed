"""Paints photos in the style that a model has learned.

python -m styletransfer.predict MODEL.safetensors PHOTO_OR_FOLDER... -o OUT
"""

from common.commands.predict import predict
from styletransfer.task import TASK

if __name__ == "__main__":
    predict(TASK, __doc__)
