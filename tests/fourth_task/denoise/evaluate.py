"""python -m denoise.evaluate MODEL.safetensors --data FOLDER"""

from denoise.task import TASK

from common.commands.evaluate import evaluate

if __name__ == "__main__":
    evaluate(TASK, __doc__)
