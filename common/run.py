"""The run folder: where everything that one training produces lies, with what is needed to tell how it came about."""

import json
import logging
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import torch

from common.command import log_to
from common.configfile import save_config
from common.errors import UserError
from common.files import written_whole

log = logging.getLogger(__name__)

PACKAGES = ("torch", "torchvision", "fastai", "kornia", "numpy", "pillow", "safetensors")


def start_run(config, default_name, device):
    """Makes the run's folder, with `config.yaml` (every key), `environment.json` and the messages in `log.txt`.

    Returns its path. Raises UserError if a folder of that name exists or none can be made.
    """
    folder = config.output.path.expanduser() / (
        config.output.name or f"{default_name}_{time.strftime('%Y-%m-%d_%H-%M-%S')}"
    )
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise UserError(f"{folder}: exists; a run never writes over another, choose a new output.name") from None
    except OSError as error:
        raise UserError(f"{folder}: cannot make the run folder ({error.strerror}); set output.path") from None
    save_config(config, folder / "config.yaml")
    with written_whole(folder / "environment.json") as temporary:
        temporary.write_text(json.dumps(environment(device), indent=2))
    log_to(folder / "log.txt")
    log.info("run folder: %s", folder)
    return folder


def environment(device):
    """What a result may depend on besides the config: command, versions, device, git commit if any."""
    return {
        "command": [sys.orig_argv[0], *sys.orig_argv[1:]],
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "device": torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"{device} ({torch.get_num_threads()} threads)",
        "git_commit": git_commit(),
    }


def git_commit():
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
