"""python -m denoise.train [CONFIG.yaml] [section.key=value ...] [--resume RUN]"""

from pathlib import Path

from denoise.config import Config

from common.commands.train import read_train_arguments, train_command
from common.runtime.command import run_command


def main():
    demo = Path(__file__).parent / "denoise.yaml"
    arguments = read_train_arguments("denoise.train", __doc__, Config, demo)
    from denoise.task import TASK

    return train_command(TASK, arguments)


if __name__ == "__main__":
    run_command(main)
