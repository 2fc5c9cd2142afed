"""Trains a network that paints photos in the style of one picture.

python -m styletransfer.train                              the demo: sample photos and style, 3 minutes on 2 CPU cores
python -m styletransfer.train configs/styletransfer_johnson.yaml data.path=~/photos style.image=starry_night.jpg
python -m styletransfer.train --resume runs/RUN            continues a stopped run
"""

from common.commands.train import read_train_arguments, train_command
from common.runtime.command import run_command
from styletransfer.config import Config


def main() -> int:
    arguments = read_train_arguments("styletransfer.train", __doc__, Config, demo="styletransfer_demo.yaml")
    from styletransfer.task import TASK  # torch and fastai take seconds to import

    return train_command(TASK, arguments)


if __name__ == "__main__":
    run_command(main)
