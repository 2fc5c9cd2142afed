"""How far colours are off, and how many there are: a photo left grey must not pass for well coloured."""

from kornia.metrics import ssim as ssim_map

from colorize.lab import get_ab
from common import metrics
from common.metrics import round_to_8_bits


def psnr(pred, target):
    """(N,) PSNR in dB over RGB, 8 bits, peak 255; pred, target: (N, 3, H, W) in [0, 1]."""
    return metrics.psnr(round_to_8_bits(pred), round_to_8_bits(target), peak=1)


def psnr_ab(pred, target):
    """(N,) PSNR in dB over a* and b* alone, peak 255, the range of their usual 8-bit form."""
    return metrics.psnr(get_ab(round_to_8_bits(pred)), get_ab(round_to_8_bits(target)), peak=255)


def ab_error(pred, target):
    """(N,) mean absolute error of a* and b*, in their own units (about 2 is just seen)."""
    return (get_ab(round_to_8_bits(pred)) - get_ab(round_to_8_bits(target))).abs().mean(dim=(1, 2, 3))


def ssim(pred, target):
    """(N,) SSIM, mean over R, G and B (Wang et al. 2004: 11 x 11 Gaussian window, sigma 1.5, no padding)."""
    return ssim_map(pred, target, window_size=11, max_val=1.0, eps=0.0, padding="valid").mean(dim=(1, 2, 3))


def colourfulness(image):
    """(N,) of (N, 3, H, W) in [0, 1], as Hasler and Suesstrunk 2003 measure it: 0 grey, 33 average, 109 extreme."""
    red, green, blue = (255 * image).unbind(dim=1)
    opponents = red - green, (red + green) / 2 - blue
    variance = sum(o.var(dim=(1, 2), correction=0) for o in opponents)
    mean = sum(o.mean(dim=(1, 2)).square() for o in opponents)
    return variance.sqrt() + 0.3 * mean.sqrt()
