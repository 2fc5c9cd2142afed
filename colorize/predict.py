"""Colours grey photos with a trained model; a photo's own lightness stays as sharp as it was.

python -m colorize.predict MODEL.safetensors PHOTO_OR_FOLDER... -o OUT
"""

from colorize.task import TASK
from common.commands.predict import predict

if __name__ == "__main__":
    predict(TASK, __doc__)
