"""What Python and notebooks call to apply a trained model, in any task."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from common.commands.box import find_model
from common.inference.photo_model import PhotoModel
from common.inference.ready import ready
from common.runtime.devices import get_device
from common.runtime.errors import UserError
from common.runtime.nearest import did_you_mean
from common.task import Option, Task


def load(task: Task, path: str | Path, device: str = "auto", **opening: Any) -> PhotoModel:
    """A trained model as a function of photos. opening: options that choose among the models of the file."""
    use = task.use()
    model = ready(use.choose(use.load(find_model(task, str(path))), **opening), get_device(device))
    options = [option for option in task.options if not option.at_opening]
    return PhotoModel(
        model, partial(use.enhance, model), task.keep_grey, partial(check_keywords, options, check=task.check_options)
    )


def check_keywords(
    options: Sequence[Option], values: Mapping[str, Any], check: Callable[[Mapping[str, Any]], None] = lambda _: None
) -> None:
    """Raises UserError if a keyword is none of the options, nor `tile`, or its value none of an option's.

    check: of all values together, those that are not given among them.
    """
    known = {option.name: option for option in options}
    for name, value in values.items():
        if name == "tile":
            if not isinstance(value, int) or value < 1:
                raise UserError(f"tile = {value}: must be a whole number, 1 or more")
            continue
        if name not in known:
            raise UserError(f"{name}: no such option, but {', '.join([*known, 'tile'])}{did_you_mean(name, known)}")
        option = known[name]
        if option.choices and value not in option.choices:
            raise UserError(f"{name} = {value}: must be one of {', '.join(option.choices)}")
        if option.type in (int, float) and (value is not None or option.default is not None):
            option.read(str(value))
    check({option.name: option.default for option in options} | dict(values))
