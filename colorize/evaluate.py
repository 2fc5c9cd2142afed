"""Measures a colourisation model on colour photos, whose colours it does not see, against leaving them grey.

python -m colorize.evaluate MODEL.safetensors --data FOLDER
python -m colorize.evaluate --baseline grey --data FOLDER
"""

from colorize.task import TASK
from common.commands.evaluate import evaluate

if __name__ == "__main__":
    evaluate(TASK, __doc__)
