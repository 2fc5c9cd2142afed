"""python -m denoise.compare STUDY.yaml [section.key=value ...], or --resume FOLDER"""

from denoise.task import TASK

from common.commands.compare import compare

if __name__ == "__main__":
    compare(TASK, __doc__)
