"""How far colours are off, and how many there are: a photo left grey must not pass for well coloured."""

from colorize.lab import get_ab
from common.data.pixels import round_to_8_bits
from common.evaluation.metrics import psnr


def psnr_ab(pred, target):
    """(N,) PSNR in dB over a* and b* alone, peak 255, the range of their usual 8-bit form."""
    return psnr(get_ab(round_to_8_bits(pred)), get_ab(round_to_8_bits(target)), peak=255)


def ab_error(pred, target):
    """(N,) mean absolute error of a* and b*, in their own units (about 2 is just seen)."""
    return (get_ab(round_to_8_bits(pred)) - get_ab(round_to_8_bits(target))).abs().mean(dim=(1, 2, 3))


def colorfulness(image):
    """(N,) of (N, 3, H, W) in [0, 1], as Hasler and Suesstrunk 2003 measure it: 0 grey, 33 average, 109 extreme."""
    red, green, blue = (255 * image).unbind(dim=1)
    opponents = red - green, (red + green) / 2 - blue
    variance = sum(o.var(dim=(1, 2), correction=0) for o in opponents)
    mean = sum(o.mean(dim=(1, 2)).square() for o in opponents)
    return variance.sqrt() + 0.3 * mean.sqrt()
