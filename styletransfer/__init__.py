"""Style transfer: photos as if made in the style of one picture."""

from pathlib import Path
from typing import TYPE_CHECKING

import common  # noqa: F401 (first of all: it silences warnings of fastai's import)
from styletransfer.task import TASK

if TYPE_CHECKING:
    from common.inference.photo_model import PhotoModel
    from common.training.learner import StageLearner

# Each function imports what it needs when it is called: the command lines answer --help without torch.


def get_learner(config: str | Path, *overrides: str) -> "StageLearner":
    """fastai's Learner for a config, as in `get_learner("configs/styletransfer_johnson.yaml", "data.path=~/photos")`.

    overrides: `section.key=value`, as on the command line. Nothing is written: no run folder. Raises UserError for a
    mistake in the config.
    """
    from common.commands import notebook

    return notebook.get_learner(TASK, config, overrides)


def train_run(config: str | Path, *overrides: str) -> Path:
    """Trains as `python -m styletransfer.train` does, and returns the run folder."""
    from common.commands import notebook

    return notebook.train_run(TASK, config, overrides)


def resume_run(run: str | Path, *overrides: str) -> Path:
    """Continues a stopped run as `python -m styletransfer.train --resume RUN` does, and returns its folder."""
    from common.commands import notebook

    return notebook.resume_run(TASK, run, overrides)


def load(path: str | Path, device: str = "auto", style: str | None = None) -> "PhotoModel":
    """A trained model as a function: `load("model.safetensors")("photo.jpg")` is the photo painted, a PIL image.

    path: a model file, or a run's folder. style: which of a model's several styles, or a mix of them, as
    `styletransfer.predict --style`. The model takes strength, keep_colors, stroke, detail and tile, as there.
    Raises UserError if it is not a complete model file of this task, or has no such style.
    """
    from common.commands.load import load as load_model

    return load_model(TASK, path, device, style=style)
