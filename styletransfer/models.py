"""The models in the box, or the card of one.

python -m styletransfer.models
python -m styletransfer.models MODEL.safetensors
"""

from common.commands.models import models
from styletransfer.task import TASK

if __name__ == "__main__":
    models(TASK, __doc__)
