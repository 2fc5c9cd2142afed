"""Looks for a learning rate: the loss at rates from 1e-7 to 10 as a picture, and a suggestion.

python -m colorize.lr_find configs/colorize.yaml data.path=~/photos
"""

from colorize.config import Config
from common.commands.lr_find import lr_find_command, read_lr_find_arguments
from common.runtime.command import run_command


def main() -> int:
    arguments = read_lr_find_arguments("colorize.lr_find", __doc__, Config, demo="colorize_demo.yaml")
    from colorize.task import TASK  # torch and fastai take seconds to import

    return lr_find_command(TASK, arguments)


if __name__ == "__main__":
    run_command(main)
