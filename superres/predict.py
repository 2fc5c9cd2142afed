"""Enlarges photos with a trained model.

python -m superres.predict MODEL.safetensors PHOTO_OR_FOLDER... -o OUT
python -m superres.predict 4x_OTHERS.pth PHOTO_OR_FOLDER... -o OUT      any model that spandrel recognises
"""

from common.commands.predict import predict
from superres.task import TASK

if __name__ == "__main__":
    predict(TASK, __doc__)
