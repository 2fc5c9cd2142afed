"""A photo of any size painted: more or less, in the style's colours or its own.

Instance norm needs the mean and variance of each channel over the whole picture, and a large photo is painted tile by
tile. So they are measured first: norm after norm, the photo goes through the network up to there, piece by piece. The
tiles then share them, and fit together as those of any other network do. That costs several times the painting itself,
in memory that does not grow with the photo; a photo of one tile is painted at once.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from common.data.pixels import peak_of, to_tensor
from common.inference.tile_layout import TILE
from common.inference.tiles import enhance
from styletransfer.johnson import InstanceNorm
from styletransfer.model import Stylizer

GRID = 32  # pixels that the networks' grids fit into: 4 of Johnson's, 32 of a U-Net's
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # Y of YCbCr, as in JPEG
BAND = 256  # rows that are mixed at once
PIECE, CONTEXT = 512, 32  # sides of the pieces that are measured, and what they see around them: multiples of GRID

Statistics = tuple[Tensor, Tensor]  # mean and variance, each (C,)
Span = tuple[int, int, int, int]  # start with context, start, end, end with context


def paint_photo(
    model: Stylizer, photo: np.ndarray, strength: float = 1.0, keep_colors: bool = False, tile: int = TILE
) -> np.ndarray:
    """(H, W, 3) uint8 or uint16 -> the same, painted by `model` (in eval mode, on the device to run on).

    strength: 0 the photo, 1 the painting, between them a mix of their pixels. keep_colors: only the lightness (Y of
    YCbCr) is the painting's (Gatys et al. 2016, arXiv 1606.05897). Memory is bounded by `tile`, in pixels a side.
    """
    statistics = partial(whole_photo_statistics, model, photo)
    painted = enhance(model, photo, tile=tile, grid=GRID, prepare=statistics)
    for band in (slice(top, top + BAND) for top in range(0, len(photo), BAND)):
        original = photo[band].astype(np.float32)
        change = painted[band] - original
        if keep_colors:  # Y alone changes, by as much in each of R, G and B
            change = (change @ LUMA)[..., None]
        painted[band] = (original + strength * change).round().clip(0, peak_of(photo.dtype))
    return painted


@contextmanager
def whole_photo_statistics(model: nn.Module, photo: np.ndarray, tile: int) -> Iterator[None]:
    """Inside, each instance norm of `model` has the mean and variance of the whole photo, if it needs tiles."""
    norms = [module for module in model.modules() if isinstance(module, InstanceNorm)]
    try:
        if max(photo.shape[:2]) > tile:
            piece = max(GRID, min(PIECE, tile - 2 * CONTEXT) // GRID * GRID)
            for norm in tqdm(norms, "measuring", leave=False, disable=None):  # in the order that they are passed
                norm.fixed_statistics = measure_statistics(model, norm, photo, piece)
        yield
    finally:
        for norm in norms:
            norm.fixed_statistics = None


class StatisticsMeasured(Exception):
    """Ends a pass through the network."""


@torch.inference_mode()
def measure_statistics(model: nn.Module, norm: InstanceNorm, photo: np.ndarray, piece: int = PIECE) -> Statistics:
    """(mean, variance), each (C,), of what reaches `norm` when the whole photo goes through `model` in pieces."""
    device = next(model.parameters()).device
    measured: list[tuple[Tensor, Tensor, Tensor]] = []
    for rows in split_with_context(photo.shape[0], piece):
        for columns in split_with_context(photo.shape[1], piece):

            def measure(_: nn.Module, inputs: tuple[Tensor], rows: Span = rows, columns: Span = columns) -> None:
                measured.append(count_mean_variance(inputs[0], rows, columns))
                raise StatisticsMeasured

            with norm.register_forward_pre_hook(measure), suppress(StatisticsMeasured):
                model(to_tensor(photo[rows[0] : rows[3], columns[0] : columns[3]]).to(device))
    count, mean, variance = (torch.stack(values) for values in zip(*measured, strict=True))
    part = (count / count.sum())[:, None]
    average = (part * mean).sum(dim=0)
    variance = (part * (variance + mean**2)).sum(dim=0) - average**2
    return average.float().to(device), variance.float().to(device)


def split_with_context(length: int, piece: int) -> list[Span]:
    """Pieces that cover `length` pixels."""
    return [
        (max(0, start - CONTEXT), start, min(length, start + piece), min(length, start + piece + CONTEXT))
        for start in range(0, length, piece)
    ]


def count_mean_variance(x: Tensor, rows: Span, columns: Span) -> tuple[Tensor, Tensor, Tensor]:
    """Of each channel of (1, C, h, w), a piece's activations, without its context: (pixels, (C,), (C,)), double."""
    # The network pads what is smaller than 16 pixels, so the longer side tells how much it shrinks.
    shrunk = max(1, *(round((side[3] - side[0]) / n) for side, n in ((rows, x.shape[2]), (columns, x.shape[3]))))
    height, width = (
        slice((start - before) // shrunk, -(-(end - before) // shrunk)) for before, start, end, _ in (rows, columns)
    )
    inner = x[:, :, height, width]
    variance, mean = torch.var_mean(inner, dim=(0, 2, 3), correction=0)
    return torch.tensor(inner[0, 0].numel(), dtype=torch.float64), mean.cpu().double(), variance.cpu().double()
