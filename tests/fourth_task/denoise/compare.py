"""python -m denoise.compare STUDY.yaml [section.key=value ...], or --resume FOLDER"""

from denoise.config import Config

from common.runtime.command import run_command
from common.studies.study import read_compare_arguments


def main():
    arguments = read_compare_arguments("denoise.compare", __doc__, Config, reserved_names=("noisy", "target"))
    from denoise.task import TASK

    from common.studies.compare import compare_command

    return compare_command(TASK, arguments)


if __name__ == "__main__":
    run_command(main)
