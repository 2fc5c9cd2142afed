"""Distances of structure."""

from kornia.metrics import ssim as ssim_map
from torch import Tensor

from common.runtime.accelerator import never_rounded


def ssim_loss(pred: Tensor, target: Tensor) -> Tensor:
    """1 - SSIM (Wang et al. 2004): 11 x 11 Gaussian window of sigma 1.5, no padding, mean over RGB. In [0, 2]."""
    similar = ssim_map(never_rounded(pred), never_rounded(target), window_size=11, max_val=1.0, padding="valid")
    return 1 - similar.mean().to(pred.dtype)
