"""Distances of pixels."""

from torch import Tensor


def negative_psnr(error: Tensor) -> Tensor:
    """(N,) mean errors of images with peak 1 -> their mean -PSNR = 10 log10(error), in dB. Perfect counts as -100."""
    return 10 * error.clamp_min(1e-10).log10().mean()


def psnr_loss(pred: Tensor, target: Tensor) -> Tensor:
    """Minus the peak signal-to-noise ratio in dB: 10 log10 of each image's mean squared error, averaged."""
    return negative_psnr((pred - target).square().mean(dim=(1, 2, 3)))


def psnr_mae_loss(pred: Tensor, target: Tensor) -> Tensor:
    """PSNR computed on the mean absolute error instead of the squared one: 10 log10(MAE) of each image, averaged."""
    return negative_psnr((pred - target).abs().mean(dim=(1, 2, 3)))
