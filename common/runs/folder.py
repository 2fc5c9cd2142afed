"""The run folder: made for a new run, or opened again to continue one."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch

from common.batches.folders import PhotoSplit
from common.config.losses import NO_FILES
from common.config.section import Section
from common.config.sections import OutputConfig, TaskConfig
from common.config.yaml_file import load_config, save_config
from common.runs.changes import check_changes
from common.runs.environment import describe_environment
from common.runs.lock import lock_folder, unlock_folder, unlocked_after_an_error
from common.runs.page import write_run_page
from common.runs.photos import PHOTOS_FILE, save_photo_split
from common.runs.resume import RESUME_FILE, START_POSITION, read_resume_point
from common.runtime import processes
from common.runtime.errors import ReportedError, UserError
from common.runtime.files import read_json, remove_temporary_files, write_json
from common.runtime.messages import end_log_file, log_to_file

log = logging.getLogger(__name__)

Config = TypeVar("Config", bound=TaskConfig)
AnySection = TypeVar("AnySection", bound=Section)


folders: list[Path] = []  # of the runs of this process, the last one last


@contextmanager
def open_run(
    resume: Path | None,
    task_name: str,
    config: TaskConfig,
    default_name: str,
    device: torch.device,
    precision: str,
    photos: PhotoSplit,
) -> Iterator[Path]:
    """The folder of a new run, or `resume`, an earlier run's, ready to continue. Only the main process writes.

    Until the end of the context no other process can open it. Raises UserError as `start_run` and `continue_run` do.
    """
    if resume is not None:
        folder = processes.run_on_main(partial(continue_run, resume, config, device, precision))
    else:
        folder = processes.run_on_main(partial(start_run, task_name, config, default_name, device, precision, photos))
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
        unlock_folder(folder)


def start_run(
    task_name: str, config: TaskConfig, default_name: str, device: torch.device, precision: str, photos: PhotoSplit
) -> Path:
    """Makes the run's folder, with `config.yaml` (every key), `photos.json`, `environment.json` and `log.txt`.

    Returns its path. Raises UserError if a folder of that name exists or the folder cannot be made.
    """
    folder = make_folder_for(config.output, default_name)
    lock_folder(folder)
    with unlocked_after_an_error(folder):
        write_json(folder / "environment.json", [describe_environment(task_name, config, device, precision)])
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
    while True:
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            if output.name is not None or not folder.exists():
                raise UserError(
                    f"{folder}: exists, and a run never overwrites another; choose another output.name"
                ) from None
        except OSError as error:
            raise UserError(f"{folder}: cannot make the run folder ({error.strerror}); set output.path") from None
        folder, number = folder.with_name(f"{name}_{number}"), number + 1  # of a run that began in the same second


def with_absolute_paths(config: Config) -> Config:
    """Returns the config with absolute paths, so that the run can be continued from any folder."""
    config = absolute_paths_in(config)
    loss = config.loss.with_files(lambda weights: absolute_weights_path(weights) or weights)
    return config.model_copy(update={"loss": loss})


def absolute_paths_in(section: AnySection) -> AnySection:
    """Returns the section with absolute paths, and so the sections in it."""
    changed: dict[str, object] = {}
    for key, value in section:
        if isinstance(value, Path):
            changed[key] = value.expanduser().absolute()
        elif isinstance(value, list):
            changed[key] = [each.expanduser().absolute() if isinstance(each, Path) else each for each in value]
        elif isinstance(value, Section):
            changed[key] = absolute_paths_in(value)
    return section.model_copy(update=changed)


def absolute_weights_path(weights: str | None) -> str | None:
    """Returns the absolute path of a weights file; None and the words for weights stay as they are."""
    return weights if weights in (None, *NO_FILES) else str(Path(weights).expanduser().absolute())


def current_run() -> Path | None:
    """The run folder that this process opened last, or None."""
    return folders[-1] if folders else None


def continue_run(folder: Path, config: TaskConfig, device: torch.device, precision: str) -> Path:
    """Makes the folder of an earlier run ready to continue with `config`. Returns the folder.

    Raises UserError if another process works in it, or if the config changes a key that may not change.
    """
    lock_folder(folder)
    with unlocked_after_an_error(folder):
        earlier = load_config(type(config), folder / "config.yaml")
        position = read_resume_point(folder / RESUME_FILE) or START_POSITION
        changes = check_changes(earlier, with_absolute_paths(config), position, folder)
        remove_temporary_files(folder, below=True)
        save_config(with_absolute_paths(config), folder / "config.yaml")
        starts = read_json(folder / "environment.json")
        now = describe_environment(starts[0]["task"], config, device, precision)
        write_json(folder / "environment.json", [*starts, now])
        log_to_file(folder / "log.txt")
        log.info("run folder: %s", folder)
        for change in changes:
            log.info("changed: %s", change)
        for key in ("packages", "device", "precision", "processes", "version", "git_commit"):
            before = starts[-1].get(key, now[key])  # older runs do not say all of these
            if now[key] != before:
                log.warning("changed, so the last digits may differ: %s: %s -> %s", key, before, now[key])
        log.info("continues in train.stages.{stage}, after {epoch} epochs and {step} steps of it".format(**position))
    return folder
