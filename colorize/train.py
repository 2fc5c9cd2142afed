"""Trains a colourisation model from a folder of colour photos.

python -m colorize.train                                   the demo: sample photos, 3.5 minutes on 2 CPU cores
python -m colorize.train configs/colorize.yaml data.path=~/photos train.stages.0.epochs=3
python -m colorize.train --resume runs/RUN                 continues a stopped run
"""

from colorize.task import TASK
from common.commands.train import train

if __name__ == "__main__":
    train(TASK, __doc__)
