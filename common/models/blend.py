"""Mixing the weights of two models: a dial between what each does (Wang et al. 2018, arXiv 1809.00219)."""

from pathlib import Path

import torch
from torch import nn

from common.runtime.errors import UserError


@torch.no_grad()
def blend(model: nn.Module, other: nn.Module, part: float, path: Path) -> None:
    """Moves the weights of `model`, in place, to `part` of the way to those of `other`: 0 leaves them as they are.

    It works best between a model and one that was trained from it. path: of `other`, for messages. Raises UserError if
    the two are not of one shape, or differ in `settings`: a model's attributes that say what its weights are for.
    """
    for name in getattr(model, "settings", ()):
        own, its = getattr(model, name), getattr(other, name, None)
        if own != its:
            raise UserError(f"--blend {path}: its {name} is {its}, MODEL's is {own}, so their weights cannot be mixed")
    ours, theirs = model.state_dict(), other.state_dict()
    layers, other_layers = dict(model.named_modules()), dict(other.named_modules())
    differing = [name for name in {**ours, **theirs} if name not in ours or name not in theirs]
    differing += [name for name in ours if name in theirs and ours[name].shape != theirs[name].shape]
    differing += sorted(layers.keys() ^ other_layers.keys())  # also those without weights, such as a blur
    if differing:
        raise UserError(
            f"--blend {path}: not of the same shape as MODEL, so their weights cannot be mixed: {len(differing)} "
            f"differ, such as {differing[0]}"
        )
    for name, value in ours.items():
        if value.is_floating_point():
            value.lerp_(theirs[name].to(value), part)
