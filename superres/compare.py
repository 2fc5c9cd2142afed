"""Trains variants of one config under the same conditions and compares them: losses, norms, networks.

python -m superres.compare configs/compare/losses.yaml data.path=~/photos      keys are for every variant
python -m superres.compare --resume runs/STUDY                                 continues a stopped study
"""

from common.commands.compare import compare
from superres.task import TASK

if __name__ == "__main__":
    compare(TASK, __doc__)
