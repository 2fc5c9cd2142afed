"""Looks for a learning rate: the loss at rates from 1e-7 to 10 as a picture, and a suggestion.

python -m superres.lr_find configs/superres_2x.yaml data.path=~/photos
"""

from common.commands.lr_find import lr_find_command, read_lr_find_arguments
from common.runtime.command import run_command
from superres.config import Config


def main() -> int:
    arguments = read_lr_find_arguments("superres.lr_find", __doc__, Config, demo="superres_demo.yaml")
    from superres.task import TASK  # torch and fastai take seconds to import

    return lr_find_command(TASK, arguments)


if __name__ == "__main__":
    run_command(main)
