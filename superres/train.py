"""Trains a super-resolution model from a folder of photos.

python -m superres.train                                   the demo: sample photos, 3 minutes on 2 CPU cores
python -m superres.train configs/superres_2x.yaml data.path=~/photos train.stages.0.epochs=3
python -m superres.train --resume runs/RUN                 continues a stopped run
"""

from common.commands.train import read_train_arguments, train_command
from common.runtime.command import run_command
from superres.config import Config


def main() -> int:
    arguments = read_train_arguments("superres.train", __doc__, Config, demo="superres_demo.yaml")
    from superres.task import TASK  # torch and fastai take seconds to import

    return train_command(TASK, arguments)


if __name__ == "__main__":
    run_command(main)
