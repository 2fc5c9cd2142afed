"""Draws training pairs as the network will get them, with what was drawn for each.

python -m colorize.show_data configs/colorize.yaml data.path=~/photos -o pairs.png
"""

from colorize.task import TASK
from common.commands.show_data import show_data

if __name__ == "__main__":
    show_data(TASK, __doc__)
