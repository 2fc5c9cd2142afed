"""Bicubic enlargement, by torch; as a convolution for exports, since torch's has no form that every runtime knows."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

TAPS = 5  # pixels that a cubic of support 2 meets, for all of a pixel's shares


def resize_bicubic(image: Tensor, scale: float) -> Tensor:
    """(N, 3, H, W) -> (N, 3, H * scale, W * scale), antialiased when shrinking; MATLAB's imresize up to rounding."""
    if torch.compiler.is_exporting():
        return enlarge_by_convolution(image, int(scale))
    size = [round(side * scale) for side in image.shape[-2:]]
    # antialias=True also picks Keys' cubic with a = -0.5, which MATLAB and Pillow use; without it torch has -0.75.
    return F.interpolate(image, size=size, mode="bicubic", antialias=True)


def enlarge_by_convolution(image: Tensor, scale: int) -> Tensor:
    """(N, 3, H, W) -> (N, 3, scale H, scale W), with the numbers of `resize_bicubic`.

    Each of the `scale` x `scale` pixels that one becomes is a sum of the 5 x 5 around it. At borders the weights of
    pixels that are not there are shared among the others.
    """
    center = (np.arange(scale) + 0.5) / scale - 0.5  # of the new pixels, seen from the old one's
    line = cubic(center[:, None] - np.arange(-(TAPS // 2), TAPS // 2 + 1))  # (scale, TAPS)
    squares = line[:, None, :, None] * line[None, :, None, :]  # (scale, scale, TAPS, TAPS)
    weight = torch.tensor(np.tile(squares.reshape(scale**2, 1, TAPS, TAPS), (3, 1, 1, 1))).to(image)
    sums, ones = (F.conv2d(x, weight, padding=TAPS // 2, groups=3) for x in (image, torch.ones_like(image)))
    return F.pixel_shuffle(sums / ones, scale)


def cubic(x: np.ndarray) -> np.ndarray:
    """Keys' cubic with a = -0.5 (1981)."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0))
