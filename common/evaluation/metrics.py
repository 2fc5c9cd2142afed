"""PSNR and SSIM as the super-resolution literature measures them: on luma, after rounding to 8 bits, borders shaved."""

import torch
from kornia.metrics import ssim as ssim_map
from torch import Tensor

from common.photos.pixels import PEAK, round_to_8_bits
from common.runtime.accelerator import never_rounded


def luma(image: Tensor) -> Tensor:
    """(N, 3, H, W) RGB in [0, 1] -> (N, 1, H, W), Y of MATLAB's rgb2ycbcr (Rec. 601), 16 to 235."""
    weights = torch.tensor([65.481, 128.553, 24.966], device=image.device, dtype=image.dtype)
    return 16 + torch.einsum("nchw,c->nhw", image, weights)[:, None]


def shaved_luma(image: Tensor, border: int) -> Tensor:
    """`luma` of a picture rounded to 8 bits, without `border` pixels at each side."""
    y = luma(round_to_8_bits(image.as_subclass(Tensor).float()))
    return y[..., border : y.shape[-2] - border, border : y.shape[-1] - border]


def psnr(pred: Tensor, target: Tensor, peak: float) -> Tensor:
    """(N,) PSNR in dB between (N, C, H, W) with values that span `peak`.

    At most 100, so that one perfect picture does not make an average infinite.
    """
    return 10 * (peak**2 / (pred - target).square().mean(dim=(1, 2, 3)).clamp_min(peak**2 / 1e10)).log10()


def ssim(pred: Tensor, target: Tensor, peak: float) -> Tensor:
    """(N,) SSIM between (N, C, H, W) with values that span `peak`, mean over channels.

    11 x 11 Gaussian window, sigma 1.5, K = 0.01 and 0.03, no padding (Wang et al. 2004); sides of 11 pixels or more.
    """
    images = never_rounded(pred), never_rounded(target)
    similar = ssim_map(*images, window_size=11, max_val=float(peak), eps=0.0, padding="valid")
    return similar.mean(dim=(1, 2, 3)).to(pred.dtype)


def psnr_y(pred: Tensor, target: Tensor, border: int) -> Tensor:
    """(N,) PSNR in dB on luma, peak 255, without `border` pixels at each side; pred, target: (N, 3, H, W) in [0, 1]."""
    return psnr(shaved_luma(pred, border), shaved_luma(target, border), PEAK)


def ssim_y(pred: Tensor, target: Tensor, border: int) -> Tensor:
    """(N,) SSIM on luma, without `border` pixels at each side; pred, target: (N, 3, H, W) in [0, 1]."""
    return ssim(shaved_luma(pred, border), shaved_luma(target, border), PEAK)
