"""Trains a super-resolution model from a folder of photos.

python -m superres.train                                   the demo: sample photos, 3 minutes on 2 CPU cores
python -m superres.train configs/superres_2x.yaml data.path=~/photos train.stages.0.epochs=3
python -m superres.train --resume runs/RUN                 continues a stopped run
"""

from common.commands.train import train
from superres.task import TASK

if __name__ == "__main__":
    train(TASK, __doc__)
