"""Draws training pairs as the network will get them, with what was drawn for each.

python -m colorize.show_data configs/colorize.yaml data.path=~/photos -o pairs.png
"""

from colorize.config import Config
from common.commands.show_data import read_show_data_arguments, show_data_command
from common.runtime.command import run_command


def main() -> int:
    arguments = read_show_data_arguments("colorize.show_data", __doc__, Config, demo="colorize_demo.yaml")
    from colorize.task import TASK  # torch and fastai take seconds to import

    return show_data_command(TASK, arguments)


if __name__ == "__main__":
    run_command(main)
