"""Draws training pairs as the network will get them, with what was drawn for each.

python -m styletransfer.show_data configs/styletransfer_johnson.yaml data.path=~/photos -o pairs.png
"""

from common.commands.show_data import read_show_data_arguments, show_data_command
from common.runtime.command import run_command
from styletransfer.config import Config


def main() -> int:
    arguments = read_show_data_arguments("styletransfer.show_data", __doc__, Config, demo="styletransfer_demo.yaml")
    from styletransfer.task import TASK  # torch and fastai take seconds to import

    return show_data_command(TASK, arguments)


if __name__ == "__main__":
    run_command(main)
