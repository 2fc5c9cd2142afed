"""What a run's result may depend on besides its config and its photos: command, versions, device, commit."""

import platform
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from common.batches.block import choose_workers
from common.config.sections import TaskConfig, TrainConfig
from common.pages.page import flatten
from common.runtime import processes
from common.runtime.devices import describe_device
from common.runtime.files import read_json

PACKAGES = ("torch", "torchvision", "fastai", "kornia", "numpy", "pillow", "safetensors")

PACKAGE = Path(__file__).parent.parent  # common


def describe_environment(task_name: str, config: TaskConfig, device: torch.device, precision: str) -> dict[str, Any]:
    """What a result may depend on: command, versions, device, git commit if any, keys that differ from the defaults."""
    changed = config.model_dump(mode="json", exclude_defaults=True, exclude={"output"})
    return {
        "task": task_name,
        "keys": flatten(changed),
        "time": time.strftime("%Y-%m-%d %H:%M:%S"),
        "processes": processes.count(),
        "command": sys.orig_argv,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "device": describe_device(device),
        "precision": precision,
        "workers": choose_workers(config.train, device),
        "version": own_version(),
        "git_commit": git_commit(),
    }


def recorded_precision(run: Path, train: TrainConfig, device: torch.device) -> str:
    """`train.precision`; for 'auto' on a CPU, where a trial decides, what came of it when the run was on one before."""
    environments = read_json(run / "environment.json") if (run / "environment.json").exists() else []
    tried = [each["precision"] for each in environments if each.get("device", "").startswith("cpu")]
    return tried[-1] if train.precision == "auto" and device.type == "cpu" and tried else train.precision


def git_commit(package: Path = PACKAGE) -> str | None:
    """The commit of the checkout that `package`, ours, belongs to, with '-dirty' if files have changed.

    None outside git, and for an installation that only lies in somebody's repository.
    """

    def ask(*words: str) -> str:
        command = ["git", "-C", str(package), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()

    try:
        ask("ls-files", "--error-unmatch", "__init__.py")
        return ask("describe", "--always", "--dirty", "--abbrev=40")
    except (OSError, subprocess.SubprocessError):
        return None


def own_version() -> str | None:
    """The version of the installed program; None for files that nobody installed."""
    try:
        return version("perceptual-enhance")
    except PackageNotFoundError:
        return None
