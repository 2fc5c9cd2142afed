"""Draws training pairs as the network will get them, with what was drawn for each.

python -m superres.show_data configs/superres_photo_2x.yaml data.path=~/photos -o pairs.png
"""

from common.commands.show_data import show_data
from superres.task import TASK

if __name__ == "__main__":
    show_data(TASK, __doc__)
