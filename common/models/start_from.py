"""Starting a training from the weights of a model file."""

import logging
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from common.models.model_file import read_model_file
from common.models.weights import StateDict
from common.runtime.errors import UserError

log = logging.getLogger(__name__)

ReadWeights = Callable[[Path], StateDict]

MAX_NAMED = 6  # weights that do not fit
CHANGED = 0.05  # part of its size by which a norm changes a weight that was not trained with it, or more
POWER_STEPS = 300  # until the estimate is settled; torch makes 15 for a new layer


@torch.no_grad()
def start_from(model: nn.Module, path: Path | None, task: str, read: ReadWeights | None = None) -> None:
    """Fills `model` in place with the weights of a model file of the task, where name and shape fit, and says which do.

    Weight and spectral norm are put back on. None changes nothing. read: what reads the file, if not only the task's
    own. Raises UserError if the file cannot be read, or nothing fits.
    """
    if path is None:
        return
    try:
        state = read_model_file(path, task)[1] if read is None else read(path)
    except UserError as error:
        raise UserError(f"train.start_from: {error}") from error
    modules, taken, changed, left_out = dict(model.named_modules()), 0, 0, []
    own = {name: value for name, value in model.named_parameters() if ".parametrizations." not in name}
    own |= dict(model.named_buffers())
    for name, value in state.items():
        place, _, key = name.rpartition(".")
        module = modules.get(place)
        current = weight_of(module, key) if module is not None and is_normed(module, key) else own.get(name)
        if current is None or current.shape != value.shape:
            here = f" (here {describe(current)})" if current is not None else ""
            left_out.append(f"{name} {describe(value)}{here}")
            continue
        if module is not None and is_normed(module, key):
            set_normed_weight(module, key, value.to(current))
            changed += bool((weight_of(module, key) - value).norm() > CHANGED * value.norm())
        else:
            current.copy_(value)
        taken += 1
    if not taken:
        raise UserError(f"train.start_from = {path}: none of its weights fits this model; is it another network?")
    log.info("start_from: %d of %d weights of %s", taken, len(state), path)
    if changed:
        log.warning(
            "start_from: WARNING: a norm, or even kernels, which that model did not have, changes %d weights: the "
            "first results are not that model's",
            changed,
        )
    if left_out:
        more = f" and {len(left_out) - MAX_NAMED} more" * (len(left_out) > MAX_NAMED)
        log.warning("start_from: these do not fit and begin anew: %s%s", ", ".join(left_out[:MAX_NAMED]), more)


def is_normed(module: nn.Module, key: str) -> bool:
    return parametrize.is_parametrized(module, key)


def set_normed_weight(module: nn.Module, key: str, value: Tensor) -> None:
    """Sets a weight that a norm makes. Spectral norm estimates anew: in train mode each reading makes a step of it."""
    setattr(module, key, value)
    was_training = module.training
    module.train()
    for _ in range(POWER_STEPS):
        getattr(module, key)
    module.train(was_training)


def weight_of(module: nn.Module, key: str) -> Tensor:
    """The weight that a norm makes; in eval mode, in which reading it changes nothing."""
    was_training = module.training
    module.eval()
    value = getattr(module, key)
    module.train(was_training)
    return value


def describe(value: Tensor) -> str:
    return " x ".join(map(str, value.shape)) or "1"
