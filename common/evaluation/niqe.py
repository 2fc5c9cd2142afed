"""NIQE: how far a picture's local statistics are from those of sharp photos. It needs no true picture to compare with.

Mittal, Soundararajan and Bovik 2013 (Making a "completely blind" image quality analyzer, IEEE Signal Processing Letters
20(3)). The statistics of sharp photos are our own, so figures compare with each other rather than with published ones:
`niqe.safetensors` was made by `benchmarks.fit_niqe`, which says of what. With the authors' statistics this gives 5.735
for the baboon, of which MATLAB says 5.730.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors.numpy
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from scipy.special import gamma
from torch import Tensor

from common.evaluation.metrics import shaved_luma

Array = np.ndarray

NATURAL_FILE = Path(__file__).with_name("niqe.safetensors")
PATCH = 96  # pixels a side
SHARP = 0.75  # of the sharpest patch of a photo: the sharpness from which others count as natural
SHAPES = np.arange(0.2, 10, 0.001)  # among which that of a distribution is found


class Natural(NamedTuple):
    """Features of sharp patches: mean (36,) and covariance (36, 36)."""

    mean: Array
    covariance: Array


def niqe(picture: Tensor, natural: Natural | None = None) -> float:
    """The distance of a picture (1, 3, H, W) in [0, 1] from sharp photos, the lower the better: theirs is 2 to 5.

    natural: None for the statistics in `niqe.safetensors`. A picture with fewer than two patches of 96 x 96 pixels that
    are not flat has none: nan.
    """
    features = patch_features(to_luma(picture))[0]
    if len(features) < 2:
        return float("nan")
    mean, covariance = natural or read_natural()
    difference = features.mean(axis=0) - mean
    pooled = (np.cov(features, rowvar=False) + covariance) / 2
    return float(np.sqrt(difference @ np.linalg.solve(pooled, difference)))


@cache
def read_natural() -> Natural:
    """The statistics that the package brings along."""
    arrays = safetensors.numpy.load_file(NATURAL_FILE)
    return Natural(arrays["mean"], arrays["covariance"])


def to_luma(picture: Tensor) -> Array:
    """(1, 3, H, W) in [0, 1] -> (H, W), whole numbers from 16 to 235, as PSNR's luma."""
    return shaved_luma(picture, 0)[0, 0].round().double().cpu().numpy()


def patch_features(y: Array) -> tuple[Array, Array]:
    """(features (n, 36), sharpness (n,)) of the patches of a luma (H, W) that are not flat, from 0 to 255.

    18 features at full size, 18 at half. The sharpness is the mean of the local standard deviation.
    """
    height, width = (side // PATCH * PATCH for side in y.shape)
    if not height or not width:
        return np.empty((0, 36)), np.empty(0)
    y = y[:height, :width]
    scales, sharpness = [], np.empty(0)
    for picture, size in ((y, PATCH), (halve(y), PATCH // 2)):
        normalized, deviation = normalize(picture)
        scales.append(scale_features(cut_patches(normalized, size)))
        if size == PATCH:
            sharpness = cut_patches(deviation, size).mean(axis=(1, 2))
    features = np.hstack(scales)
    finite = np.isfinite(features).all(axis=1)  # flat patches have no distribution
    return features[finite], sharpness[finite]


def halve(y: Array) -> Array:
    """A picture of even sides, shrunk to half by a bicubic filter, mirrored at its borders, as MATLAB's `imresize`."""
    mirrored = torch.from_numpy(np.pad(y, 4, mode="symmetric"))
    half = F.interpolate(mirrored[None, None], scale_factor=0.5, mode="bicubic", antialias=True)
    return half[0, 0, 2:-2, 2:-2].numpy()


def normalize(y: Array) -> tuple[Array, Array]:
    """(luma without its local mean, over the local standard deviation; that deviation), equations 1 to 3."""
    mean, square = (gaussian_filter(x, 7 / 6, radius=3, mode="nearest") for x in (y, y**2))
    deviation = np.sqrt(np.abs(square - mean**2))
    return (y - mean) / (deviation + 1), deviation


def cut_patches(y: Array, size: int) -> Array:
    """(H, W) -> (n, size, size), row by row."""
    rows, columns = (side // size for side in y.shape)
    return y.reshape(rows, size, columns, size).swapaxes(1, 2).reshape(-1, size, size)


def scale_features(patches: Array) -> Array:
    """(n, size, size) of normalised luma -> (n, 18): the shape and width of its distribution, and for the products of
    neighbours to the right, below and on both diagonals shape, mean and both widths (equations 4 to 9)."""
    with np.errstate(divide="ignore", invalid="ignore"):  # of flat patches
        shape, left, right = fit_distribution(patches)
        features = [shape, (left + right) / 2]
        for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
            shape, left, right = fit_distribution(patches * np.roll(patches, shift, axis=(1, 2)))
            features += [shape, (right - left) * gamma(2 / shape) / gamma(1 / shape), left, right]
    return np.stack(features, axis=1)


def fit_distribution(values: Array) -> tuple[Array, Array, Array]:
    """(shape, left width, right width), (n,) each, of an asymmetric generalised Gaussian distribution, by its moments.

    values: (n, ...). Lasmar et al. 2009; widths are the scales beta of the two halves.
    """
    values = values.reshape(len(values), -1)
    left, right = (root_mean_square(values, values * sign > 0) for sign in (-1, 1))
    ratio = left / right
    share = np.abs(values).mean(axis=1) ** 2 / np.square(values).mean(axis=1)
    share *= (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shape = np.interp(share, gamma(2 / SHAPES) ** 2 / (gamma(1 / SHAPES) * gamma(3 / SHAPES)), SHAPES)
    to_width = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, left * to_width, right * to_width


def root_mean_square(values: Array, chosen: Array) -> Array:
    """(n,) of the chosen among the values (n, L)."""
    return np.sqrt((values**2 * chosen).sum(axis=1) / chosen.sum(axis=1))
