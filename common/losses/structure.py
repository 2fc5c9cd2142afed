"""Distances of structure: (pred, target) -> (N,), between images (N, 3, H, W).

What is linear is computed of the difference of the pictures, which TF32 rounds less than the pictures themselves.
"""

from functools import partial

import torch
import torch.nn.functional as F
from kornia.filters import filter2d_separable, get_gaussian_kernel1d, spatial_gradient
from kornia.geometry.transform import pyrdown
from kornia.metrics import ssim as ssim_map
from torch import Tensor

from common.runtime.accelerator import never_rounded

WINDOW = 11
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # what each counts in MS-SSIM, from the finest
LEAST = 1e-3  # of the mean of a scale: below, its power is replaced by a line, which has a finite slope at 0


def ssim_loss(pred: Tensor, target: Tensor) -> Tensor:
    """(N,) 1 - SSIM (Wang et al. 2004): 11 x 11 Gaussian window of sigma 1.5, no padding, mean over RGB. In [0, 2]."""
    similar = ssim_map(never_rounded(pred), never_rounded(target), window_size=WINDOW, max_val=1.0, padding="valid")
    return 1 - similar.mean(dim=(1, 2, 3)).to(pred.dtype)


def contrast_and_ssim(pred: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Two (N,) in [-1, 1]: the means over RGB and pixels of SSIM without its luminance factor, and of SSIM."""
    kernel = get_gaussian_kernel1d(WINDOW, 1.5, device=pred.device, dtype=pred.dtype)
    blur = partial(filter2d_separable, kernel_x=kernel, kernel_y=kernel, padding="valid")
    pred_mean, target_mean = blur(pred), blur(target)
    squares = pred_mean.square() + target_mean.square()
    variances = blur(pred.square() + target.square()) - squares
    covariance = blur(pred * target) - pred_mean * target_mean
    contrast = (2 * covariance + 0.03**2) / (variances + 0.03**2)
    luminance = (2 * pred_mean * target_mean + 0.01**2) / (squares + 0.01**2)
    return contrast.mean(dim=(1, 2, 3)), (luminance * contrast).mean(dim=(1, 2, 3))


def ms_ssim_loss(pred: Tensor, target: Tensor) -> Tensor:
    """(N,) 1 - MS-SSIM (Wang, Simoncelli, Bovik 2003), with the window of `ssim_loss`. In [0, 1]; sides of 11 or more.

    MS-SSIM = product over scales of mean^weight, where each scale is the one before averaged over 2 x 2 pixels, and the
    mean is that of contrast and structure, at the coarsest scale of SSIM; negative means count as 0. Five scales need
    sides of 176: a smaller picture has as many as fit, with weights that sum to 1.
    """
    pred_scale, target_scale = never_rounded(pred), never_rounded(target)
    fitting = (min(pred.shape[-2:]) // WINDOW).bit_length()  # most with side // 2^(scales - 1) >= 11
    weights = torch.tensor(SCALES[: max(1, fitting)], device=pred.device, dtype=pred_scale.dtype)
    means = []
    for scale in range(1, len(weights) + 1):
        contrast, similar = contrast_and_ssim(pred_scale, target_scale)
        means.append(similar if scale == len(weights) else contrast)
        pred_scale, target_scale = F.avg_pool2d(pred_scale, 2), F.avg_pool2d(target_scale, 2)
    mean = torch.stack(means, dim=1)
    powers = mean.relu() * mean.clamp_min(LEAST) ** (weights / weights.sum() - 1)
    return (1 - powers.prod(dim=1)).to(pred.dtype)


def gradient_loss(pred: Tensor, target: Tensor) -> Tensor:
    """(N,) mean absolute difference of the slopes right and down, by Sobel's filters over 8. 0 or more.

    A ramp of 0.1 a pixel has slope 0.1; pixels at the border are repeated beyond it.
    """
    return spatial_gradient(pred - target).abs().mean(dim=(1, 2, 3, 4))


def laplacian_loss(pred: Tensor, target: Tensor, levels: int = 3) -> Tensor:
    """(N,) L1 of Laplacian pyramids (Bojanowski et al. 2018, arXiv 1707.05776). 0 or more.

    The sum over `levels` bands, and the picture that is left, of the mean absolute difference. A band is what a picture
    loses when it is blurred, halved and enlarged again, bilinearly. The paper sums pixels and counts level j 4^j times;
    it has so many times fewer of them. Sides of 1 or 2 are not halved.
    """
    rest, total = pred - target, pred.new_zeros(len(pred))
    for _ in range(levels):
        if min(rest.shape[-2:]) < 3:
            break
        half = pyrdown(rest)
        band = rest - F.interpolate(half, size=rest.shape[-2:], mode="bilinear", align_corners=False)
        total = total + band.abs().mean(dim=(1, 2, 3))
        rest = half
    return total + rest.abs().mean(dim=(1, 2, 3))
