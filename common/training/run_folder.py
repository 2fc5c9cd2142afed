"""The run folder: everything that one training produces, with what is needed to tell how it was produced."""

import logging
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import torch
from filelock import BaseFileLock, FileLock, Timeout

from common.config.sections import OutputConfig, Section, TaskConfig
from common.config.yaml_file import load_config, save_config
from common.data.folders import PhotoSplit
from common.pages.page import flatten
from common.runtime import processes
from common.runtime.command import end_log_file, log_to_file
from common.runtime.errors import ReportedError, UserError
from common.runtime.files import NOT_SUPPORTED, read_json, remove_temporary_files, write_json
from common.training.resume import RESUME_FILE, START_POSITION, check_changes, read_resume_point
from common.training.run_photos import PHOTOS_FILE, save_photo_split
from common.training.run_report import write_run_page

log = logging.getLogger(__name__)

Config = TypeVar("Config", bound=TaskConfig)
AnySection = TypeVar("AnySection", bound=Section)

PACKAGES = ("torch", "torchvision", "fastai", "kornia", "numpy", "pillow", "safetensors")

PACKAGE = Path(__file__).parent.parent  # common

held_locks: dict[Path, BaseFileLock] = {}  # of run folders; kept here, as a lock that is collected is released
folders: list[Path] = []  # of the runs of this process, the last one last


@contextmanager
def open_run(
    resume: Path | None,
    task_name: str,
    config: TaskConfig,
    default_name: str,
    device: torch.device,
    photos: PhotoSplit,
) -> Iterator[Path]:
    """The folder of a new run, or `resume`, an earlier run's, ready to continue. Only the main process writes.

    Until the end of the context no other process can open it. Raises UserError as `start_run` and `continue_run` do.
    """
    if resume is not None:
        folder = processes.run_on_main(partial(continue_run, resume, config, device))
    else:
        folder = processes.run_on_main(partial(start_run, task_name, config, default_name, device, photos))
    folders.append(folder)
    try:
        yield folder
        end_log_file()  # not after an error: its traceback comes into the log
    except BaseException as error:
        if processes.is_main():
            with suppress(OSError, ReportedError):  # a full disk may be what it is about
                write_run_page(folder, (str(error) or "stopped").splitlines()[0])
        raise
    finally:
        if folder in held_locks:
            held_locks.pop(folder).release()


def start_run(task_name: str, config: TaskConfig, default_name: str, device: torch.device, photos: PhotoSplit) -> Path:
    """Makes the run's folder, with `config.yaml` (every key), `photos.json`, `environment.json` and `log.txt`.

    Returns its path. Raises UserError if a folder of that name exists or the folder cannot be made.
    """
    folder = make_folder_for(config.output, default_name)
    lock_folder(folder)
    write_json(folder / "environment.json", [describe_environment(task_name, config, device)])
    save_photo_split(folder / PHOTOS_FILE, photos, config.data.path)
    # The last file: a folder that has it can be continued.
    save_config(with_absolute_paths(config), folder / "config.yaml")
    log_to_file(folder / "log.txt")
    log.info("run folder: %s", folder)
    return folder


def make_folder_for(output: OutputConfig, default_name: str) -> Path:
    """Makes the folder that `output` names, by default after `default_name` and the time. Returns its path.

    Raises UserError if a folder of the given name exists, or if it cannot be made.
    """
    name = output.name or f"{default_name}_{time.strftime('%Y-%m-%d_%H-%M-%S')}"
    folder, number = output.path.expanduser() / name, 2
    while output.name is None and folder.exists():  # of a run that began in the same second
        folder, number = folder.with_name(f"{name}_{number}"), number + 1
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise UserError(f"{folder}: exists, and a run never overwrites another; choose another output.name") from None
    except OSError as error:
        raise UserError(f"{folder}: cannot make the run folder ({error.strerror}); set output.path") from None
    return folder


def with_absolute_paths(config: Config) -> Config:
    """Returns the config with absolute paths, so that the run can be continued from any folder."""
    config = absolute_paths_in(config)
    loss = config.loss.model_copy(update={"vgg": absolute_weights_path(config.loss.vgg)})
    return config.model_copy(update={"loss": loss})


def absolute_paths_in(section: AnySection) -> AnySection:
    """Returns the section with absolute paths, and so the sections in it."""
    changed: dict[str, object] = {}
    for key, value in section:
        if isinstance(value, Path):
            changed[key] = value.expanduser().absolute()
        elif isinstance(value, Section):
            changed[key] = absolute_paths_in(value)
    return section.model_copy(update=changed)


def absolute_weights_path(weights: str | None) -> str | None:
    """Returns the absolute path of a weights file; None and the words for weights stay as they are."""
    words = (None, "torchvision", "random", "alex", "squeeze")
    return weights if weights in words else str(Path(weights).expanduser().absolute())


def current_run() -> Path | None:
    """The run folder that this process opened last, or None."""
    return folders[-1] if folders else None


def continue_run(folder: Path, config: TaskConfig, device: torch.device) -> Path:
    """Makes the folder of an earlier run ready to continue with `config`, resolved. Returns the folder.

    Raises UserError if another process works in it, or if the config changes a key that may not change.
    """
    lock_folder(folder)
    earlier = load_config(type(config), folder / "config.yaml")
    position = read_resume_point(folder / RESUME_FILE) or START_POSITION
    changes = check_changes(earlier, with_absolute_paths(config), position, folder)
    remove_temporary_files(folder, below=True)
    save_config(with_absolute_paths(config), folder / "config.yaml")
    starts = read_json(folder / "environment.json")
    now = describe_environment(starts[0]["task"], config, device)
    write_json(folder / "environment.json", [*starts, now])
    log_to_file(folder / "log.txt")
    log.info("run folder: %s", folder)
    for change in changes:
        log.info("changed: %s", change)
    for key in ("packages", "device", "processes", "version", "git_commit"):
        if now[key] != starts[-1].get(key, now[key]):
            log.warning("changed, so the last digits may differ: %s: %s -> %s", key, starts[-1][key], now[key])
    log.info("continues in train.stages.{stage}, after {epoch} epochs and {step} steps of it".format(**position))
    return folder


def lock_folder(folder: Path) -> None:
    """Keeps other processes out of a run folder until the lock is released, or this one ends, however it ends.

    Raises UserError if another process is in it.
    """
    lock = FileLock(folder / ".lock", blocking=False, is_singleton=True)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"{folder}: another process is working in it") from None
    except OSError as error:
        if error.errno not in NOT_SUPPORTED:
            raise UserError(f"{folder}: nothing can be written here ({error.strerror})") from None
        log.warning(
            "WARNING: %s: this drive has no locks (%s): take care that no other process trains in the same folder",
            folder, error.strerror,
        )  # fmt: skip
        return
    held_locks[folder] = lock


def describe_environment(task_name: str, config: TaskConfig, device: torch.device) -> dict[str, Any]:
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
        "device": torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"{device} ({torch.get_num_threads()} threads)",
        "version": own_version(),
        "git_commit": git_commit(),
    }


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
