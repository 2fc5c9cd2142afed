"""Trains variants of one config under the same conditions and compares them: losses, norms.

python -m colorize.compare configs/compare/colorize_losses.yaml data.path=~/photos     keys are for every variant
python -m colorize.compare --resume runs/STUDY                                         continues a stopped study
"""

from colorize.config import Config
from common.runtime.command import run_command
from common.studies.study import read_compare_arguments


def main() -> int:
    arguments = read_compare_arguments("colorize.compare", __doc__, Config, reserved_names=("grey", "target"))
    from colorize.task import TASK
    from common.studies.compare import compare_command

    return compare_command(TASK, arguments)


if __name__ == "__main__":
    run_command(main)
