"""Colours as classes: squares of a* and b*, which of them photos have, and what a network that names them means.

Zhang et al. 2016 (arXiv 1603.08511): one mean colour for all that a thing may have is pale; a likelihood for each of
many colours is not.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from colorize.lab import get_ab
from common.photos.flat import open_photo_for_crops
from common.photos.open import PhotoError
from common.photos.pixels import to_tensor

STEP = 10  # of a* and b*, from one bin to the next
LEAST = 1e-4  # part of the pixels that a colour must have to be a class
RAREST = 1e-6  # taken for that of a class of another model which the photos do not have at all
PHOTOS, SIDE = 300, 64  # that are looked at, at most, and how small
REACH = 110  # of a* and b* in sRGB, to either side
NEAREST, SIGMA = 5, 5.0  # bins that share a colour, and the Gaussian by which they do, as in the paper

# What `mean_color` does at vividness 0 and at 1. The paper's dial is the temperature alone, from the mean to the
# likeliest colour; of all settings tried on 16 photos held out, these had the least error for as much colour.
UNDONE = 0.9, 0.7  # of the logarithm of the weights
TEMPERATURE = 0.5, 0.3
GAIN = 1.0, 2.25  # of a* and b* where it is unsure, and their mean therefore pale
SURE, UNSURE = 1.0, 2.5  # entropies in nats; one colour, shared by the five nearest bins, has about 1.2


class Bins(NamedTuple):
    """Classes of colour."""

    centres: Tensor
    """(Q, 2), a* and b*."""

    parts: Tensor
    """(Q,) of all pixels; they add up to 1."""

    def weights(self, rebalance: float) -> Tensor:
        """(Q,), what each counts in a loss, on average 1: inverse to a mix of its part, smoothed, and of an equal one.

        rebalance: of the equal one: 0 as often as it is, 1 all colours alike.
        """
        if rebalance == 0:
            return torch.ones_like(self.parts)
        near = (-torch.cdist(self.centres, self.centres).square() / (2 * SIGMA**2)).exp() @ self.parts
        weights = 1 / ((1 - rebalance) * near / near.sum() + rebalance / len(near))
        return weights / (weights * self.parts).sum()


def measure_bins(paths: Sequence[Path], centres: Tensor | None = None) -> Bins:
    """The colours of photos: the squares of STEP x STEP that a ten-thousandth of their pixels has. A few seconds.

    centres: (Q, 2), the squares of another model, in place of these: how much the photos have of each.
    """
    counts = count_colors(tuple(paths[:: max(1, len(paths) // PHOTOS)][:PHOTOS]))
    if centres is None:
        i, j = np.nonzero(counts >= LEAST)
        centres = torch.from_numpy(np.stack([i, j], axis=1) * STEP - REACH).float()
    else:
        i, j = ((centres + REACH) / STEP).round().long().clamp(0, len(counts) - 1).T.numpy()
    parts = torch.from_numpy(counts[i, j].clip(RAREST)).float()
    return Bins(centres, parts / parts.sum())


@lru_cache(maxsize=1)
def count_colors(paths: tuple[Path, ...]) -> np.ndarray:
    """The part of the photos' pixels in each square of a* and b*."""
    places = 2 * REACH // STEP + 1
    counts = np.zeros((places, places))
    for path in paths:
        try:
            photo = open_photo_for_crops(path, min_side=1, least_side=8 * SIDE)
        except PhotoError:  # what is trained on is checked elsewhere
            continue
        photo.thumbnail((SIDE, SIDE), reducing_gap=2)
        ab = get_ab(to_tensor(photo))[0].flatten(1)
        i, j = ((ab + REACH) / STEP).round().long().clamp(0, places - 1).numpy()
        np.add.at(counts, (i, j), 1 / ab.shape[1])
    return counts / counts.sum()


def mean_color(logits: Tensor, centres: Tensor, weights: Tensor, vividness: float, multiplied: bool = True) -> Tensor:
    """(N, Q, H, W) logits -> (N, 2, H, W), the annealed mean of the colours; vividness: 0, pale and safe, to 1.

    A loss that multiplies colours by `weights`, (Q,), makes them as much likelier; a part of that is undone. Where no
    colour is likely the mean is pale, and is multiplied, unless it is known how much of each colour there is.
    """
    undone, temperature, gain = (low + vividness * (high - low) for low, high in (UNDONE, TEMPERATURE, GAIN))
    logits = logits.float()
    likely = ((logits - undone * weights.log()[:, None, None]) / temperature).softmax(dim=1)
    mean = torch.einsum("nqhw,qc->nchw", likely, centres)
    if not multiplied:
        return mean
    doubt = ((entropy(logits) - SURE) / (UNSURE - SURE)).clamp(0, 1)
    return (1 + (gain - 1) * doubt) * mean


def entropy(logits: Tensor) -> Tensor:
    """(N, Q, H, W) -> (N, 1, H, W), in nats."""
    log = logits.log_softmax(dim=1)
    return -(log.exp() * log).sum(dim=1, keepdim=True)


class Classes:
    """What a loss asks of a network that names colours. centres: (Q, 2); weights: (Q,), what each colour counts."""

    def __init__(self, centres: Tensor, weights: Tensor) -> None:
        self.weights = weights
        # For each whole a* and b*: the nearest bins, and what each has of it.
        line = torch.arange(-REACH, REACH + 1).float()
        apart = torch.cdist(torch.cartesian_prod(line, line), centres).square()
        nearest, self.which = apart.topk(min(NEAREST, len(centres)), largest=False)
        shares = (-(nearest - nearest[:, :1]) / (2 * SIGMA**2)).exp()
        self.shares = shares / shares.sum(dim=1, keepdim=True)

    def loss(self, logits: Tensor, ab: Tensor) -> Tensor:
        """(N,) the mean over pixels of the cross entropy, times the weight of a pixel's nearest bin, in nats.

        logits: (N, Q, H, W); ab: (N, 2, H, W), the true colours.
        """
        device = logits.device
        self.which, self.shares, self.weights = (t.to(device) for t in (self.which, self.shares, self.weights))
        which, shares = (part.movedim(-1, 1) for part in self.nearest(ab))
        entropy = -(logits.float().log_softmax(dim=1).gather(1, which) * shares).sum(dim=1)
        return (entropy * self.weights[which[:, 0]]).mean(dim=(1, 2))

    def nearest(self, ab: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 2, H, W) colours -> (which bins are near, the share of each), both (N, H, W, NEAREST)."""
        a, b = (ab.round().long().clamp(-REACH, REACH) + REACH).unbind(dim=1)
        place = a * (2 * REACH + 1) + b
        return self.which[place], self.shares[place]

    def parts(self, ab: Tensor) -> Tensor:
        """(N, 2, H, W) colours -> (Q,), how much of all pixels each bin has; they add up to 1."""
        which, shares = self.nearest(ab)
        return torch.zeros(len(self.weights)).index_add_(0, which.flatten(), shares.flatten()) / shares.sum()
