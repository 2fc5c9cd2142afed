"""`python -m TASK.train`: a config, or a stopped run to continue."""

from functools import partial
from pathlib import Path
from typing import NoReturn

from common.commands.arguments import user_path
from common.commands.configs import CONFIGS, get_config_parser, read_config
from common.runtime.command import run_command
from common.runtime.errors import UserError
from common.runtime.files import read_json
from common.task import Task


def train(task: Task, doc: str | None) -> NoReturn:
    """[CONFIG.yaml] [section.key=value ...] [--resume RUN]."""
    run_command(partial(train_command, task, doc))


def train_command(task: Task, doc: str | None) -> int:
    """Trains as the command line says; returns the exit status. Raises UserError for a mistake in the config."""
    parser = get_config_parser(task, "train", doc, "[--resume RUN]")
    parser.add_argument("--resume", type=user_path, metavar="RUN", help="continue the stopped run in this folder")
    args = parser.parse_intermixed_args()
    path = CONFIGS / task.demo
    if args.resume is not None:
        check_run_folder(args.resume, task.name)
        path = args.resume / "config.yaml"
    config, path = read_config(args.config, task.config, path)
    from common.runs.folder import current_run  # torch and fastai take seconds to import
    from common.runs.outcome import run_training
    from common.runs.train import train

    return run_training(f"{task.name}.train", partial(train, task, config, path.stem, args.resume), current_run)


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
