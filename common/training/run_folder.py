"""The run folder: where everything that one training produces lies, with what is needed to tell how it came about."""

import logging
import platform
import subprocess
import sys
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from common.config.yaml_file import load_config, save_config
from common.runtime import processes
from common.runtime.command import log_to_file
from common.runtime.errors import UserError
from common.runtime.files import read_json, remove_temporary_files, write_json
from common.training.resume import RESUME_FILE, START_POSITION, check_changes, read_resume_point
from common.training.run_photos import save_photo_split

log = logging.getLogger(__name__)

PACKAGES = ("torch", "torchvision", "fastai", "kornia", "numpy", "pillow", "safetensors")


def open_run(resume, task, config, default_name, device, photos):
    """The folder of a new run, or `resume`, an earlier one's, ready to go on; the main process alone works on it."""
    if resume is not None:
        return processes.run_on_main(partial(continue_run, resume, config, device))
    return processes.run_on_main(partial(start_run, task, config, default_name, device, photos))


def start_run(task, config, default_name, device, photos):
    """Makes the run's folder, with `config.yaml` (every key), `photos.json`, `environment.json` and `log.txt`.

    Returns its path. Raises UserError if a folder of that name exists or none can be made.
    """
    folder = make_folder_for(config.output, default_name)
    lock_folder(folder)
    write_json(folder / "environment.json", [describe_environment(task, device)])
    save_photo_split(folder / "photos.json", photos, config.data.path)
    save_config(
        with_absolute_paths(config), folder / "config.yaml"
    )  # last: with it the folder is one that can be continued
    log_to_file(folder / "log.txt")
    log.info("run folder: %s", folder)
    return folder


def make_folder_for(output, default_name):
    """Makes the folder that an OutputConfig names, by default after `default_name` and the time; returns its path.

    Raises UserError if it exists or cannot be made.
    """
    folder = output.path.expanduser() / (output.name or f"{default_name}_{time.strftime('%Y-%m-%d_%H-%M-%S')}")
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise UserError(f"{folder}: exists; a run never writes over another, choose a new output.name") from None
    except OSError as error:
        raise UserError(f"{folder}: cannot make the run folder ({error.strerror}); set output.path") from None
    return folder


def with_absolute_paths(config):
    """The config with absolute paths, so that the run can be continued from any folder."""
    sections = {}
    for name, section in config:
        paths = {key: value.expanduser().absolute() for key, value in section if isinstance(value, Path)}
        sections[name] = section.model_copy(update=paths)
    sections["loss"] = config.loss.model_copy(update={"vgg": absolute_weights_path(config.loss.vgg)})
    return config.model_copy(update=sections)


def absolute_weights_path(weights):
    """The same with an absolute path, if it is a file and not None, 'torchvision' or 'random'."""
    return weights if weights in (None, "torchvision", "random") else str(Path(weights).expanduser().absolute())


def current_run():
    """The run folder that this process works in, or None."""
    return Path(HELD_LOCKS[-1].lock_file).parent if HELD_LOCKS else None


def check_run_folder(folder, task):
    """Raises UserError if `folder` is no run folder of the task."""
    if not folder.is_dir():
        raise UserError(f"--resume {folder}: no such run folder")
    if not (folder / "config.yaml").is_file():
        raise UserError(
            f"--resume {folder}: not a run folder (no config.yaml in it), or stopped before it began: start a new run"
        )
    try:
        trained = read_json(folder / "environment.json")[0]["task"]
    except (LookupError, TypeError):
        raise UserError(f"--resume {folder}: a run of an older version, which cannot be continued") from None
    if trained != task:
        raise UserError(f"--resume {folder}: a run of {trained}; use python -m {trained}.train")


def continue_run(folder, config, device):
    """Makes the folder of an earlier start ready to go on with `config`, resolved; returns it.

    Raises UserError if another process works in it, or if the config differs in what may not change.
    """
    lock_folder(folder)
    earlier = load_config(type(config), folder / "config.yaml")
    position = read_resume_point(folder / RESUME_FILE) or START_POSITION
    changes = check_changes(earlier, with_absolute_paths(config), position, folder)
    remove_temporary_files(folder)
    save_config(with_absolute_paths(config), folder / "config.yaml")
    starts = read_json(folder / "environment.json")
    now = describe_environment(starts[0]["task"], device)
    write_json(folder / "environment.json", [*starts, now])
    log_to_file(folder / "log.txt")
    log.info("run folder: %s", folder)
    for change in changes:
        log.info("changed: %s", change)
    for key in ("packages", "device", "processes", "git_commit"):
        if now[key] != starts[-1][key]:
            log.warning("not as before, so last digits may differ: %s: %s -> %s", key, starts[-1][key], now[key])
    log.info("goes on in train.stages.{stage}, after {epoch} epochs and {step} steps of it".format(**position))
    return folder


def lock_folder(folder):
    """Keeps other processes out of a run folder until this one ends, however it ends."""
    try:
        HELD_LOCKS.append(FileLock(folder / ".lock", blocking=False))
        HELD_LOCKS[-1].acquire()
    except Timeout:
        raise UserError(f"{folder}: another process is at work in it") from None


HELD_LOCKS = []  # a lock that is forgotten is released


def describe_environment(task, device):
    """What a result may depend on besides the config: command, versions, device, git commit if any."""
    return {
        "task": task,
        "time": time.strftime("%Y-%m-%d %H:%M:%S"),
        "processes": processes.count(),
        "command": sys.orig_argv,
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
