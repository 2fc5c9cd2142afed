"""Trains variants of one config under the same conditions and compares them: losses, norms.

python -m colorize.compare configs/compare/colorize_losses.yaml data.path=~/photos     keys are for every variant
python -m colorize.compare --resume runs/STUDY                                         continues a stopped study
"""

from colorize.task import TASK
from common.commands.compare import compare

if __name__ == "__main__":
    compare(TASK, __doc__)
