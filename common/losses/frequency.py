"""Distances of frequencies: (pred, target) -> (N,), between images (N, 3, H, W).

The discrete Fourier transform is linear: that of the difference of two pictures is the difference of theirs. It is
scaled by 1 / sqrt(H W), which leaves the mean square as it is.
"""

import torch
from torch import Tensor


def spectrum(pred: Tensor, target: Tensor) -> Tensor:
    """(N, 3, H, W) complex: the difference of pictures at each frequency."""
    return torch.fft.fft2(pred - target, norm="ortho")


def fft_loss(pred: Tensor, target: Tensor) -> Tensor:
    """(N,) mean over frequencies of the length of the complex difference (Cho et al. 2021, arXiv 2108.05054).

    0 or more. L1 of pixels weighs a faint pattern all over the picture as it does a spot; this one weighs it less.
    """
    return spectrum(pred, target).abs().mean(dim=(1, 2, 3))


def focal_frequency_loss(pred: Tensor, target: Tensor, alpha: float = 1.0) -> Tensor:
    """(N,) mean over frequencies of w |difference|^2 (Jiang et al. 2021, arXiv 2012.12821), 0 or more.

    w = |difference|^alpha, divided by its maximum in the image and channel: what is worst counts most. In [0, 1],
    without gradient. alpha 0 is the mean squared error.
    """
    difference = torch.view_as_real(spectrum(pred, target)).square().sum(dim=-1)
    weight = difference.detach() ** (alpha / 2)
    largest = weight.amax(dim=(2, 3), keepdim=True).clamp_min(torch.finfo(weight.dtype).tiny)
    return ((weight / largest).clamp(0, 1) * difference).mean(dim=(1, 2, 3))
