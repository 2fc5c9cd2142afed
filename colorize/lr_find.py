"""Looks for a learning rate: the loss at rates from 1e-7 to 10 as a picture, and a suggestion.

python -m colorize.lr_find configs/colorize.yaml data.path=~/photos
"""

from colorize.task import TASK
from common.commands.lr_find import lr_find

if __name__ == "__main__":
    lr_find(TASK, __doc__)
