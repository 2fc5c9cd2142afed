"""python -m denoise.predict MODEL.safetensors PHOTO_OR_FOLDER... -o OUT"""

from denoise.task import TASK

from common.commands.predict import predict

if __name__ == "__main__":
    predict(TASK, __doc__)
