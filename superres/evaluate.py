"""Measures a super-resolution model under the literature's protocol, against bicubic.

python -m superres.evaluate MODEL.safetensors --data FOLDER
python -m superres.evaluate MODEL.safetensors --data FOLDER --damages         JPEG, noise and blur, row by row
python -m superres.evaluate --baseline bicubic --scale 4 --data FOLDER
"""

from common.commands.evaluate import evaluate
from superres.task import TASK

if __name__ == "__main__":
    evaluate(TASK, __doc__)
