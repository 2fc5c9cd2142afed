"""Looks for a learning rate: the loss at rates from 1e-7 to 10 as a picture, and a suggestion.

python -m superres.lr_find configs/superres_2x.yaml data.path=~/photos
"""

from common.commands.lr_find import lr_find
from superres.task import TASK

if __name__ == "__main__":
    lr_find(TASK, __doc__)
