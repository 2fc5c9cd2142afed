"""Distances of what activations are like in a picture, wherever that is: of their statistics or distributions.

What is needed of a style can be computed once, kept, and mixed with another's: `channel_statistics` or
`sorted_projections`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def channel_statistics(features: Tensor) -> Tensor:
    """(N, C, h, w) -> (N, 2, C): means and standard deviations of the channels over the positions."""
    flat = features.flatten(2)
    # A root's slope is infinite at 0, where channels are constant.
    return torch.stack([flat.mean(dim=2), (flat.var(dim=2, correction=0) + 1e-12).sqrt()], dim=1)


def statistics_distance(pred: Tensor, target: Tensor) -> Tensor:
    """(N,) of `channel_statistics` (N, 2, C) and (N or 1, 2, C).

    The mean over channels of (difference of means)^2 + (difference of standard deviations)^2 (Li et al. 2017, arXiv
    1701.01036, section 4.2).
    """
    return (pred - target).square().sum(dim=1).mean(dim=1)


def random_directions(channels: int, n: int, like: Tensor, seed: int | None = None) -> Tensor:
    """(n, channels) unit vectors, evenly spread, of torch's random numbers on the CPU; of the type of `like`.

    seed: for the same ones each time.
    """
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(n, channels, generator=generator)).to(like)


def sorted_projections(features: Tensor, directions: Tensor) -> Tensor:
    """(N, C, h, w), (K, C) -> (N, K, h w): how far each position goes in each direction, in order of size."""
    with torch.autocast(features.device.type, enabled=False):
        return (directions @ features.flatten(2)).sort(dim=2).values


def sliced_distance(pred: Tensor, target: Tensor, directions: Tensor) -> Tensor:
    """(N,) sliced Wasserstein distance (Heitz et al. 2021, arXiv 2006.07229) of activations' distributions.

    pred: (N, C, h, w); target: (N or 1, C, h', w'), of any size; directions: (K, C), such as `random_directions`.
    """
    return sorted_distance(sorted_projections(pred, directions), sorted_projections(target, directions))


def sorted_distance(pred: Tensor, target: Tensor) -> Tensor:
    """(N,) mean squared difference of `sorted_projections` (N, K, P) and (N or 1, K, P').

    Where the numbers of positions differ, target's quantile function, linear between its values, is read at pred's
    positions.
    """
    if target.shape[2] != pred.shape[2]:
        target = F.interpolate(target, size=pred.shape[2], mode="linear")
    return (pred - target).square().mean(dim=(1, 2))
