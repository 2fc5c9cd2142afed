"""A photo of any size painted: more or less, in the style's colours or its own.

Instance norm needs the mean and variance of each channel over the whole picture. A photo of one tile is painted at
once, a larger one in bands (`styletransfer.bands`).
"""

import logging
from functools import partial
from typing import cast

import numpy as np
import torch

from common.inference.precision import finite_result, precision_for, precision_of, say_again
from common.inference.tile_layout import TILE
from common.inference.tiles import enhance, enhance_together
from common.models.onnx_model import OnnxModel
from common.photos.pixels import peak_of, to_pixels, to_tensor
from common.photos.resize import resize
from common.runtime.finite import check_finite
from common.runtime.out_of_memory import first_that_fits
from styletransfer.bands import paint_in_bands
from styletransfer.johnson import TransformationNetwork
from styletransfer.network import Stylizer

log = logging.getLogger(__name__)

GRID = 32  # pixels of a U-Net's grid
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # Y of YCbCr, as in JPEG
BAND = 256  # rows that are mixed at once
FLOATS_PER_PIXEL = 12  # of a tile: that a band of a layer may have, 34 MB at the usual 1024 x 1024 pixels
FEWEST_FLOATS = 2**20
LEAST = 64  # pixels of a side of the copy that is painted


def paint_photo(
    model: Stylizer | OnnxModel,
    photo: np.ndarray,
    strength: float = 1.0,
    keep_colors: bool = False,
    stroke: float = 1.0,
    detail: float = 0.0,
    tile: int = TILE,
) -> np.ndarray:
    """(H, W, 3) uint8 or uint16 -> the same, painted by `model` (in eval mode, on the device to run on).

    strength: 0 the photo, 1 the painting; between them, and up to 1.5, a model with a dial paints less or more, and of
    others it is a mix of pixels. keep_colors: only the lightness (Y of YCbCr) is the painting's (Gatys et al. 2016,
    arXiv 1606.05897). stroke: how many times larger strokes are: the photo is painted so many times smaller. detail:
    how much of what that loses of the photo's lightness is laid back. Memory is bounded by `tile`, in pixels a side.
    """
    parts, strength = with_dial(model, strength)
    painting = paint_whole(model, shrink_by(stroke, photo), tile, parts)
    return mix(photo, enlarge_painting(painting, photo, stroke, detail), strength, keep_colors)


def paint_together(
    model: Stylizer,
    photos: list[np.ndarray],
    strength: float = 1.0,
    keep_colors: bool = False,
    stroke: float = 1.0,
    detail: float = 0.0,
    tile: int = TILE,
) -> list[np.ndarray]:
    """`paint_photo` for photos of one size and depth, all of them in one pass of the model."""
    if with_dial(model, strength)[0] is not None:
        return [paint_photo(model, photo, strength, keep_colors, stroke, detail, tile) for photo in photos]
    paintings = enhance_together(model, [shrink_by(stroke, photo) for photo in photos])
    return [
        mix(photo, enlarge_painting(painting, photo, stroke, detail), strength, keep_colors)
        for photo, painting in zip(photos, paintings, strict=True)
    ]


def with_dial(model: Stylizer | OnnxModel, strength: float) -> tuple[list[float] | None, float]:
    """(how much of each style the model is to paint, or None; how much of the pixels is then the painting)."""
    parts = None if isinstance(model, OnnxModel) or strength in (0, 1) else model.mix_of(strength)
    return parts, strength if parts is None else 1.0


def shrink_by(times: float, photo: np.ndarray) -> np.ndarray:
    """The photo with sides so many times shorter, of at least LEAST pixels unless they are shorter now."""
    height, width = photo.shape[:2]
    times = max(1.0, min(times, min(height, width) / LEAST))
    return resize(photo, (round(height / times), round(width / times)))


def enlarge_painting(painting: np.ndarray, photo: np.ndarray, stroke: float, detail: float) -> np.ndarray:
    """A painting of a smaller copy as large as its photo, with `detail` of the lightness that the copy lost."""
    size = photo.shape[0], photo.shape[1]
    large = resize(painting, size)
    if detail == 0 or painting.shape == photo.shape:
        return large
    coarse, result = resize(shrink_by(stroke, photo), size), np.empty_like(photo)
    for band in (slice(top, top + BAND) for top in range(0, len(photo), BAND)):
        lost = (photo[band].astype(np.float32) - coarse[band]) @ LUMA
        result[band] = (large[band] + detail * lost[..., None]).round().clip(0, peak_of(photo.dtype))
    return result


def mix(photo: np.ndarray, painting: np.ndarray, strength: float, keep_colors: bool) -> np.ndarray:
    """The photo with a part of the painting, or of its lightness alone: two of (H, W, 3) -> the same."""
    if strength == 1 and not keep_colors:
        return painting
    mixed = np.empty_like(photo)
    for band in (slice(top, top + BAND) for top in range(0, len(photo), BAND)):
        original = photo[band].astype(np.float32)
        change = painting[band] - original
        if keep_colors:  # Y alone changes, by as much in each of R, G and B
            change = (change @ LUMA)[..., None]
        mixed[band] = (original + strength * change).round().clip(0, peak_of(photo.dtype))
    return mixed


def paint_whole(
    model: Stylizer | OnnxModel, photo: np.ndarray, tile: int, parts: list[float] | None = None
) -> np.ndarray:
    """The painting, as if it was made in one piece: up to `tile` pixels a side it is. parts: of the model's styles.

    Where memory runs out, bands become smaller. What is not finite in half precision is painted again in float32, with
    a line. Raises MemoryError if bands cannot be smaller, OSError if the disk is too full, ResultNotFinite.
    """
    if isinstance(model, OnnxModel):
        if (side := max(photo.shape[:2])) > tile:
            log.warning("each tile is painted on its own, lighter or darker than the next: better with --tile %d", side)
        return enhance(model, photo, tile=tile, grid=GRID)
    if not isinstance(model.network, TransformationNetwork):
        return enhance(model, photo, tile=tile, grid=GRID)
    pieces = [("the whole photo at once", partial(paint_in_one_piece, model, photo, parts))]
    ways = pieces if max(photo.shape[:2]) <= tile else []
    floats = max(FEWEST_FLOATS, FLOATS_PER_PIXEL * tile**2)
    while floats >= FEWEST_FLOATS:
        ways.append((f"bands of {4 * floats / 1e6:.0f} MB", partial(paint_bands_of, model, photo, floats, parts)))
        floats //= 4
    with precision_for(model, photo.dtype):
        painted, second_time = first_that_fits(
            [(name, partial(finite_result, model, paint)) for name, paint in ways], hint=" (--tile)"
        )
    if second_time:
        say_again(model, "the painting")
    return painted


@torch.inference_mode()
def paint_in_one_piece(model: Stylizer, photo: np.ndarray, parts: list[float] | None) -> np.ndarray:
    pixels = to_tensor(photo).to(next(model.parameters()).device)
    painted = model(pixels) if parts is None else model(pixels, pixels.new_tensor([parts]))
    return to_pixels(check_finite(painted), photo.dtype)


def paint_bands_of(model: Stylizer, photo: np.ndarray, floats: int, parts: list[float] | None) -> np.ndarray:
    network = cast(TransformationNetwork, model.network)
    parts = parts or model.chosen
    if parts:
        network = network.in_style(parts)
    with precision_of(model):
        return paint_in_bands(network, photo, floats, parts[0] if parts else 0.0)
