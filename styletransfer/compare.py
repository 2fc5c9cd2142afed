"""Trains variants of one config under the same conditions and compares them: weights, layers, networks, sizes.

All are measured by one loss, whatever each was trained on, so that their style and content are comparable.

python -m styletransfer.compare configs/compare/style_losses.yaml data.path=~/photos   keys are for every variant
python -m styletransfer.compare --resume runs/STUDY                                    continues a stopped study
"""

from common.commands.compare import compare
from styletransfer.task import TASK

if __name__ == "__main__":
    compare(TASK, __doc__)
