"""What Python and notebooks call to apply a trained model, in any task."""

from functools import partial
from pathlib import Path
from typing import Any

from common.commands.box import find_model
from common.inference.photo_model import PhotoModel
from common.inference.ready import ready
from common.runtime.devices import get_device
from common.task import Task


def load(task: Task, path: str | Path, device: str = "auto", **opening: Any) -> PhotoModel:
    """A trained model as a function of photos. opening: options that choose among the models of the file."""
    use = task.use()
    model = ready(use.choose(use.load(find_model(task, str(path))), **opening), get_device(device))
    return PhotoModel(model, partial(use.enhance, model), task.keep_grey)
