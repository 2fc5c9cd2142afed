"""The command line of `train`: a config, or a stopped run to continue."""

import logging
import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from common.commands.arguments import user_path
from common.commands.configs import CONFIGS, get_config_parser, read_config
from common.config.sections import TaskConfig
from common.runtime.errors import TrainingDiverged, TrainingStopped, UserError, WriteError
from common.runtime.files import read_json

if TYPE_CHECKING:
    from common.task import Task

log = logging.getLogger(__name__)

Config = TypeVar("Config", bound=TaskConfig)


@dataclass(frozen=True)
class TrainArguments(Generic[Config]):
    """What `python -m TASK.train` was asked to do."""

    config: Config
    name: str  # of the run folder, if the config gives none
    resume: Path | None  # folder of a stopped run to continue


def read_train_arguments(
    module: str, doc: str | None, config_class: type[Config], demo: str | Path
) -> TrainArguments[Config]:
    """Reads and checks `[CONFIG.yaml] [section.key=value ...] [--resume RUN]`.

    module: TASK.train. demo: the config, in configs/ or by its path, that is used if the command line names none.
    Raises UserError for a mistake in the config.
    """
    parser = get_config_parser(module, doc, config_class, "[--resume RUN]")
    parser.add_argument("--resume", type=user_path, metavar="RUN", help="continue the stopped run in this folder")
    args = parser.parse_intermixed_args()
    path = CONFIGS / demo
    if args.resume is not None:
        check_run_folder(args.resume, task_name=module.partition(".")[0])
        path = args.resume / "config.yaml"
    config, path = read_config(args.config, config_class, path)
    return TrainArguments(config, path.stem, args.resume)


def check_run_folder(folder: Path, task_name: str) -> None:
    """Raises UserError if `folder` is not a run folder of the task."""
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
    if trained != task_name:
        raise UserError(f"--resume {folder}: a run of {trained}; use python -m {trained}.train")


def train_command(task: "Task[Config]", arguments: TrainArguments[Config]) -> int:
    """Trains `task` as the arguments say; returns the exit status."""
    from common.runs.folder import current_run

    work = partial(task.train, arguments.config, arguments.name, arguments.resume)
    return run_training(f"{task.name}.train", work, current_run)


def run_training(module: str, work: Callable[[], object], current_folder: Callable[[], Path | None]) -> int:
    """Calls work(), which trains, and returns the exit status. If it stops early, a message says how to continue.

    module: whose `--resume` takes the folder that current_folder() returns (None before there is one).
    """
    try:
        work()
        return 0
    except TrainingDiverged as error:
        others = int(os.environ.get("RANK") or 0) > 0  # each of several processes knows, and the first says it
        log.log(logging.INFO if others else logging.ERROR, "error: %s", error)
        return 1
    except TrainingStopped as error:
        stop = error
    except WriteError as error:
        if current_folder() is None:
            raise
        stop = TrainingStopped(f"{error}; what was saved before is intact")
    except KeyboardInterrupt:
        if current_folder() is None:
            raise
        stop = TrainingStopped("stopped at once: what was done since the last save is lost", status=130)
    failed = stop.status in (1, 2)
    message = f"error: {stop}" if failed else f"{stop}"
    if (folder := current_folder()) is not None:
        message += f"\nto continue:  python -m {module} --resume {shlex.quote(str(folder))}"
    log.log(logging.ERROR if failed else logging.INFO, message)
    return stop.status
