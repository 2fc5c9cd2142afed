"""The models in the box, or the card of one.

python -m superres.models
python -m superres.models MODEL.safetensors
"""

from common.commands.models import models
from superres.task import TASK

if __name__ == "__main__":
    models(TASK, __doc__)
