"""What a picture should not have: (pred, target) -> (N,), of images (N, 3, H, W)."""

import torch
import torch.nn.functional as F
from kornia.losses import total_variation
from torch import Tensor


def tv_loss(pred: Tensor, target: Tensor) -> Tensor:
    """(N,) anisotropic total variation of `pred`: the mean absolute step down plus the mean absolute step right.

    0 or more, whatever `target`.
    """
    return total_variation(pred, reduction="mean").mean(dim=1)


@torch.no_grad()
def artefact_map(residual: Tensor, size: int) -> Tensor:
    """(N, 1, H, W): where |pred - target| summed over channels, (N, 1, H, W), varies most, as artefacts make it.

    var(residual over the picture)^(1/5) * var(residual in the size x size window around each pixel), both unbiased;
    the picture is reflected at its border, so sides must be longer than half a window.
    """
    picture = residual.var(dim=(2, 3), keepdim=True) ** 0.2
    windows = F.pad(residual, [size // 2] * 4, mode="reflect").unfold(2, size, 1).unfold(3, size, 1)
    return picture * windows.var(dim=(-2, -1))


def ldl_loss(pred: Tensor, target: Tensor, size: int = 7) -> Tensor:
    """(N,) locally discriminative loss (Liang et al. 2022, arXiv 2203.09195), without its GAN and moving average.

    mean(`artefact_map` * |pred - target|), where the map has no gradient. 0 or more; `size` is odd.
    """
    difference = (pred - target).abs()
    weight = artefact_map(difference.sum(dim=1, keepdim=True), size)
    return (weight * difference).mean(dim=(1, 2, 3))


def grid_loss(pred: Tensor, target: Tensor, period: int = 4, window: int = 8) -> Tensor:
    """(N,) how far errors depend on where a pixel stands in a grid of `period` pixels, as dots of a pixel shuffle do.

    The error pred - target of each place in the grid's square is averaged over `window` x `window` squares around, so
    that only what repeats is left; of it the mean absolute difference from all places' mean. A picture that is brighter
    or blurred has none. 0 or more; rows and columns that fill no square are left out. (Of no paper.)
    """
    error, period = pred - target, min(period, *pred.shape[-2:])
    height, width = (size - size % period for size in error.shape[-2:])
    squares = F.pixel_unshuffle(error[..., :height, :width], period).unflatten(1, (error.shape[1], period**2))
    window = min(window, *squares.shape[-2:])
    local = F.avg_pool2d(squares.flatten(1, 2), window, stride=max(1, window // 2)).unflatten(1, squares.shape[1:3])
    return (local - local.mean(dim=2, keepdim=True)).abs().flatten(1).mean(dim=1)
