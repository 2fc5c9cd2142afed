"""A web page that runs trained models: drop photos, see before and after, download the results.

python -m colorize.app MODEL.safetensors...
"""

from colorize.task import TASK
from common.commands.app import app

if __name__ == "__main__":
    app(TASK, __doc__)
