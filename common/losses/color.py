"""Distances of colour, and of what must stay as it is: (pred, target, ...) -> (N,), between images (N, 3, H, W)."""

import torch
import torch.nn.functional as F
from kornia.color import rgb_to_lab
from torch import Tensor


def chroma_loss(pred: Tensor, target: Tensor) -> Tensor:
    """(N,) mean absolute difference of a* and b* of CIE L*a*b*, in hundreds: 0 to about 2. Lightness counts nothing.

    Both are clamped to [0, 1]: what of `pred` is out of it has no gradient.
    """
    pred_ab, target_ab = (rgb_to_lab(image.clamp(0, 1))[:, 1:] / 100 for image in (pred, target))
    return (pred_ab - target_ab).abs().mean(dim=(1, 2, 3))


def lowres_loss(pred: Tensor, target: Tensor, factor: int = 8) -> Tensor:
    """(N,) mean absolute difference of both averaged over squares of `factor` pixels: colours, not detail. 0 or more.

    `factor` is at most the shorter side. At the right and lower border squares may be cut.
    """
    size = min(factor, *pred.shape[-2:])
    return F.avg_pool2d(pred - target, size, ceil_mode=True).abs().mean(dim=(1, 2, 3))


def input_loss(pred: Tensor, target: Tensor, input: Tensor) -> Tensor:
    """(N,) mean absolute difference of `pred`, shrunk to the size of `input`, from `input` (N, 3, h, w). 0 or more.

    Bicubic with antialiasing, not clamped. At the same size `pred` is compared as it is.
    """
    if pred.shape[-2:] != input.shape[-2:]:
        pred = F.interpolate(pred, size=input.shape[-2:], mode="bicubic", align_corners=False, antialias=True)
    return (pred - input).abs().mean(dim=(1, 2, 3))


def opponents(image: Tensor) -> Tensor:
    """(2, N, H, W) of (N, 3, H, W) in [0, 1]: red - green and yellow - blue, of -255 to 255."""
    red, green, blue = (255 * image).unbind(dim=1)
    return torch.stack([red - green, (red + green) / 2 - blue])


def colorfulness(image: Tensor) -> Tensor:
    """(N,) of (N, 3, H, W) in [0, 1], as Hasler and Suesstrunk 2003 measure it: 0 grey, 33 average, 109 extreme.

    Its roots are lengths of vectors, since the slope of a root is infinite at 0; that of a length counts as 0.
    """
    pairs = opponents(image)
    mean = pairs.mean(dim=(2, 3), keepdim=True)
    deviation = torch.linalg.vector_norm(pairs - mean, dim=(0, 2, 3)) / pairs[0, 0].numel() ** 0.5
    return deviation + 0.3 * torch.linalg.vector_norm(mean, dim=(0, 2, 3))


def colorfulness_loss(pred: Tensor, target: Tensor) -> Tensor:
    """(N,) 1 - `colorfulness` / 100 of `pred` clamped to [0, 1] (DDColor, Kang et al. 2022, arXiv 2212.11613).

    -2 to 1, which is grey, whatever `target`.
    """
    return 1 - colorfulness(pred.clamp(0, 1)) / 100
