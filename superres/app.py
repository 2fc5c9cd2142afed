"""A web page that runs trained models: drop photos, see before and after, download the results.

python -m superres.app MODEL.safetensors...
"""

from common.commands.app import app
from superres.task import TASK

if __name__ == "__main__":
    app(TASK, __doc__)
