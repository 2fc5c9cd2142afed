"""Trains variants of one config under the same conditions and compares them: losses, norms, networks.

python -m superres.compare configs/compare/losses.yaml data.path=~/photos      keys are for every variant
python -m superres.compare --resume runs/STUDY                                 continues a stopped study
"""

from common.runtime.command import run_command
from common.studies.study import read_compare_arguments
from superres.config import Config


def main() -> int:
    arguments = read_compare_arguments(
        "superres.compare", __doc__, Config, reserved_names=("input", "bicubic", "target")
    )
    from common.studies.compare import compare_command
    from superres.task import TASK

    return compare_command(TASK, arguments)


if __name__ == "__main__":
    run_command(main)
