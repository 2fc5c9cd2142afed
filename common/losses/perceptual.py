"""Distances of a VGG16's activations, and of their Gram matrices.

They follow Johnson et al. 2016 (arXiv 1603.08155) and Gatys et al. 2015 (1508.06576).
"""

from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import Tensor

Distance = Callable[[Tensor, Tensor], Tensor]  # (pred, target) -> (N,)


def relative_mse(pred: Tensor, target: Tensor) -> Tensor:
    """(N,) squared error as a part of the target's mean square: 1 is as bad as predicting zero.

    All layers of a VGG count alike in it, although their activations differ a thousandfold in size.
    """
    return mean_square(pred - target) / mean_square(target).clamp_min(1e-12)


def mean_square(x: Tensor) -> Tensor:
    """(N, ...) -> (N,)."""
    return x.square().flatten(1).mean(dim=1)


DISTANCES: dict[str, Distance] = {  # of activations and of Gram matrices, (N,)
    "l1": lambda pred, target: (pred - target).abs().flatten(1).mean(dim=1),
    "mse": lambda pred, target: mean_square(pred - target),
    "relative": relative_mse,
}


class TimesItsTranspose(torch.autograd.Function):
    """F -> F F^T of (N, C, L). Its gradient, (G + G^T) F, is one product; autograd would compute two."""

    @staticmethod
    def forward(ctx: Any, flat: Tensor) -> Tensor:
        ctx.save_for_backward(flat)
        return flat @ flat.transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        (flat,) = ctx.saved_tensors
        return (gradient + gradient.transpose(1, 2)) @ flat


def gram_matrix(features: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, C): channel correlations F F^T / (C H W) in float32 (Johnson et al., section 3.2).

    Computed outside autocast: sums over H * W overflow half precision.
    """
    _, c, h, w = features.shape
    with torch.autocast(features.device.type, enabled=False):
        return TimesItsTranspose.apply(features.float().flatten(2)) / (c * h * w)


def add_up(terms: Iterable[Tensor]) -> Tensor:
    return cast(Tensor, sum(terms))  # never the int 0: configs refuse a loss without terms or layers
