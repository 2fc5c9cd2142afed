"""How far colours are off, and how many there are: a photo left grey must not pass for well coloured."""

from kornia.color import rgb_to_lab
from skimage.color import deltaE_ciede2000
from torch import Tensor

from colorize.lab import get_ab
from common.evaluation.metrics import psnr
from common.photos.pixels import round_to_8_bits

BAND = 2**18  # pixels of which the difference is computed at once


def psnr_ab(pred: Tensor, target: Tensor) -> Tensor:
    """(N,) PSNR in dB over a* and b* alone, peak 255, the range of their usual 8-bit form."""
    return psnr(get_ab(round_to_8_bits(pred)), get_ab(round_to_8_bits(target)), peak=255)


def ab_error(pred: Tensor, target: Tensor) -> Tensor:
    """(N,) mean absolute error of a* and b*, in their own units (`ciede2000` tells what is seen)."""
    return (get_ab(round_to_8_bits(pred)) - get_ab(round_to_8_bits(target))).abs().mean(dim=(1, 2, 3))


def ciede2000(pred: Tensor, target: Tensor) -> float:
    """Mean CIEDE2000 colour difference of two pictures (1, 3, H, W); of one colour, about 2 is just seen side by side.

    Sharma et al. 2005. Lightness counts as well. By scikit-image, on the CPU, some rows at a time.
    """
    total, rows = 0.0, max(1, BAND // pred.shape[-1])
    for bands in zip(pred.split(rows, dim=2), target.split(rows, dim=2), strict=True):
        first, second = (rgb_to_lab(round_to_8_bits(band))[0].movedim(0, -1).cpu().numpy() for band in bands)
        total += float(deltaE_ciede2000(first, second).sum())
    return total / (pred.shape[-2] * pred.shape[-1])
