"""Draws training pairs as the network will get them, with what was drawn for each.

python -m styletransfer.show_data configs/styletransfer_johnson.yaml data.path=~/photos -o pairs.png
"""

from common.commands.show_data import show_data
from styletransfer.task import TASK

if __name__ == "__main__":
    show_data(TASK, __doc__)
