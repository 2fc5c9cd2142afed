"""Distances of pixels: (pred, target) -> (N,), between images (N, 3, H, W)."""

import torch.nn.functional as F
from torch import Tensor


def l1_loss(pred: Tensor, target: Tensor) -> Tensor:
    """(N,) mean absolute error, 0 or more."""
    return (pred - target).abs().mean(dim=(1, 2, 3))


def mse_loss(pred: Tensor, target: Tensor) -> Tensor:
    """(N,) mean squared error, 0 or more."""
    return (pred - target).square().mean(dim=(1, 2, 3))


def charbonnier_loss(pred: Tensor, target: Tensor, eps: float = 1e-3) -> Tensor:
    """(N,) mean of sqrt(difference^2 + eps^2): L1 without its corner at 0 (Lai et al. 2017, arXiv 1704.03915).

    `eps` or more, which is what equal pictures cost.
    """
    return ((pred - target).square() + eps**2).sqrt().mean(dim=(1, 2, 3))


def huber_loss(pred: Tensor, target: Tensor, delta: float = 0.1) -> Tensor:
    """(N,) mean of difference^2 / 2 up to `delta`, of delta * (|difference| - delta / 2) beyond (Huber 1964)."""
    return F.huber_loss(pred, target, reduction="none", delta=delta).mean(dim=(1, 2, 3))


def negative_psnr(error: Tensor) -> Tensor:
    """(N,) mean errors of images with peak 1 -> (N,) their -PSNR = 10 log10(error), in dB. Perfect counts as -100."""
    return 10 * error.clamp_min(1e-10).log10()


def psnr_loss(pred: Tensor, target: Tensor) -> Tensor:
    """(N,) minus the peak signal-to-noise ratio in dB: 10 log10 of the mean squared error. -100 or more."""
    return negative_psnr(mse_loss(pred, target))


def psnr_mae_loss(pred: Tensor, target: Tensor) -> Tensor:
    """(N,) PSNR computed on the mean absolute error instead of the squared one: 10 log10(MAE). -100 or more."""
    return negative_psnr(l1_loss(pred, target))
