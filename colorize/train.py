"""Trains a colourisation model from a folder of colour photos.

python -m colorize.train                                   the demo: sample photos, 3.5 minutes on 2 CPU cores
python -m colorize.train configs/colorize.yaml data.path=~/photos train.stages.0.epochs=3
python -m colorize.train --resume runs/RUN                 continues a stopped run
"""

from colorize.config import Config
from common.commands.train import read_train_arguments, train_command
from common.runtime.command import run_command


def main() -> int:
    arguments = read_train_arguments("colorize.train", __doc__, Config, demo="colorize_demo.yaml")
    from colorize.task import TASK  # torch and fastai take seconds to import

    return train_command(TASK, arguments)


if __name__ == "__main__":
    run_command(main)
