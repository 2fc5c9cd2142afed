"""python -m denoise.train [CONFIG.yaml] [section.key=value ...] [--resume RUN]"""

from denoise.task import TASK

from common.commands.train import train

if __name__ == "__main__":
    train(TASK, __doc__)
