"""Trains a network that paints photos in the style of one picture.

python -m styletransfer.train                              the demo: sample photos and style, 3 minutes on 2 CPU cores
python -m styletransfer.train configs/styletransfer_johnson.yaml data.path=~/photos style.image=starry_night.jpg
python -m styletransfer.train --resume runs/RUN            continues a stopped run
"""

from common.commands.train import train
from styletransfer.task import TASK

if __name__ == "__main__":
    train(TASK, __doc__)
