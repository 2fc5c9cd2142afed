"""Bicubic enlargement as a convolution, for exports: torch's own has no form that every runtime knows."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TAPS = 5  # pixels that a cubic of support 2 meets, for all of a pixel's shares


class BicubicEnlargement(nn.Module):
    """(N, 3, H, W) -> (N, 3, scale H, scale W), with the numbers of `superres.model.resize_bicubic`.

    Each of the `scale` x `scale` pixels that one becomes is a sum of the 5 x 5 around it. At borders the weights of
    pixels that are not there are shared among the others.
    """

    weight: Tensor

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        center = (torch.arange(scale) + 0.5) / scale - 0.5  # of the new pixels, seen from the old one's
        line = cubic(center[:, None] - torch.arange(-(TAPS // 2), TAPS // 2 + 1))  # (scale, TAPS)
        weight = line[:, None, :, None] * line[None, :, None, :]  # (scale, scale, TAPS, TAPS)
        self.register_buffer("weight", weight.reshape(scale**2, 1, TAPS, TAPS).repeat(3, 1, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        sums, ones = (self.convolve(x) for x in (image, torch.ones_like(image)))
        return F.pixel_shuffle(sums / ones, self.scale)

    def convolve(self, image: Tensor) -> Tensor:
        return F.conv2d(image, self.weight, padding=TAPS // 2, groups=3)


def cubic(x: Tensor) -> Tensor:
    """Keys' cubic with a = -0.5 (1981)."""
    x = x.abs()
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return torch.where(x <= 1, near, torch.where(x < 2, far, torch.zeros_like(x)))
