"""A lattice of dots, which a pixel shuffle can leave: LPIPS and losses of VGG16 reward it, and the eye does not."""

import torch
from torch import Tensor

from common.evaluation.metrics import luma

AROUND, NEAR = 8, 2  # bins to each side whose median counts, but for the nearest, which the window smears a peak into


def lattice(pred: Tensor, target: Tensor, period: int) -> float:
    """How far peaks of the error's spectrum at a period rise above what is around them: power over median power.

    pred, target: (1, 3, H, W) in [0, 1]. The spectrum is that of pred - target in luma, under a Hann window; the peaks
    are those that a pattern of period x period pixels has and one of a smaller period has not. The mean over the peaks:
    without a lattice 1 to 3, with one that is seen 10 and more. Sides of at least 16 periods, or it is nan.
    """
    error = (luma(pred.float()) - luma(target.float()))[0, 0].double().cpu()
    height, width = (side // period * period for side in error.shape)
    if min(height, width) < 16 * period:
        return float("nan")
    error = error[:height, :width] - error[:height, :width].mean()
    window = torch.hann_window(height, periodic=False)[:, None] * torch.hann_window(width, periodic=False)
    power = torch.fft.fft2(error * window).abs().square()
    rises = [rise(power, i * height // period, j * width // period) for i, j in peaks_of(period)]
    return sum(rises) / len(rises)


def peaks_of(period: int) -> list[tuple[int, int]]:
    """(i, j), the frequencies i / period and j / period of a pattern's harmonics, those of half the period left out.

    One of each pair that a real picture's spectrum has twice.
    """
    pairs = [(i, j) for i in range(period) for j in range(period) if i % 2 or j % 2]
    return [(i, j) for i, j in pairs if (i, j) <= ((period - i) % period, (period - j) % period)]


def rise(power: Tensor, row: int, column: int) -> float:
    """The power there, over the median around it."""
    rows, columns = (
        (torch.arange(-AROUND, AROUND + 1) + at) % n for at, n in zip((row, column), power.shape, strict=True)
    )
    around = power[rows[:, None], columns]
    far = torch.ones_like(around, dtype=torch.bool)
    far[AROUND - NEAR : AROUND + NEAR + 1, AROUND - NEAR : AROUND + NEAR + 1] = False
    return (around[AROUND, AROUND] / around[far].median().clamp_min(1e-12)).item()
