"""What Python and notebooks call to train, in any task: a Learner, or a whole run."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from common.commands.configs import find_config
from common.commands.train import check_run_folder
from common.config.yaml_file import load_config
from common.runs.balance import with_balance
from common.runs.minutes import with_steps
from common.runs.prepare import get_learner as get_learner_of
from common.runs.prepare import prepare
from common.runs.train import train
from common.task import Task
from common.training.learner import StageLearner


def get_learner(task: Task, config: str | Path, overrides: Sequence[str]) -> StageLearner:
    """The Learner of a YAML file, its own or a shipped one's name, and of `section.key=value` overrides.

    Raises UserError as the command line does.
    """
    path = find_config(Path(config).expanduser())
    settled, photos, device = prepare(task, load_config(task.config, path, overrides))
    settled = with_steps(task, settled, photos, device, None)
    return get_learner_of(task, with_balance(task, settled, photos, device, None), photos, device)


def train_run(task: Task, config: str | Path, overrides: Sequence[str]) -> Path:
    """What `python -m TASK.train CONFIG` does; returns the run folder.

    Raises UserError as the command line does, and TrainingStopped or TrainingDiverged.
    """
    path = find_config(Path(config).expanduser())
    with script_left_alone():
        return train(task, load_config(task.config, path, overrides), path.stem)


def resume_run(task: Task, run: str | Path, overrides: Sequence[str]) -> Path:
    """What `python -m TASK.train --resume RUN` does; returns the run folder. Raises as `train_run` does."""
    folder = Path(run).expanduser()
    check_run_folder(folder, task.name)
    config = load_config(task.config, folder / "config.yaml", overrides)
    with script_left_alone():
        return train(task, config, folder.name, folder)


@contextmanager
def script_left_alone() -> Iterator[None]:
    """Inside, loading processes do not run the script that called.

    With spawn and forkserver (macOS, Windows, Python 3.14) Python imports it in each, for what it defines; a script
    without `if __name__ == "__main__":` would train again in there. A run's loaders need nothing of it, so a
    module that does nothing stands in for it. (Its package silences warnings of fastai's import, which comes next.)
    """
    main = sys.modules["__main__"]
    spec, main.__spec__ = main.__spec__, find_spec("common.runtime.errors")
    try:
        yield
    finally:
        main.__spec__ = spec
