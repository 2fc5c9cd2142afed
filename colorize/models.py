"""The models in the box, or the card of one.

python -m colorize.models
python -m colorize.models MODEL.safetensors
"""

from colorize.task import TASK
from common.commands.models import models

if __name__ == "__main__":
    models(TASK, __doc__)
