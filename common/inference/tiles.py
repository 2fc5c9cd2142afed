"""A model on a photo of any size in bounded memory: overlapping tiles, blended so that no seam shows."""

import logging
import time
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from common.inference.precision import precision_for, run_finite, say_again
from common.inference.tile_layout import OVERLAP, TILE, least_side, smallest_tile, tile_starts
from common.photos.pixels import peak_of, to_pixels, to_tensor
from common.runtime.finite import check_finite
from common.runtime.out_of_memory import first_that_fits

log = logging.getLogger(__name__)


@torch.inference_mode()
def enhance(
    model: nn.Module,
    photo: np.ndarray,
    scale: int = 1,
    tile: int = TILE,
    overlap: int = OVERLAP,
    grid: int = 1,
) -> np.ndarray:
    """Runs `model`, (1, 3, h, w) in [0, 1] -> (1, 3, scale h, scale w), over a photo: (H, W, 3) uint8 or uint16 to the
    same.

    The result is exactly `scale` times as large. If it fits into `tile` x `tile` pixels it is made in one piece, else
    in tiles no larger (but of at least 3 overlaps, and an overlap and `grid`) that share `overlap` pixels of the photo
    or more, with linear cross-fades. They start at multiples of `grid` pixels of it, for networks whose output depends
    on that grid. Besides the photo and the result only one row of tiles is held. `model` must be in eval mode, on the
    device to run on.

    Where memory runs out it begins again with tiles of half the size, and raises MemoryError if they cannot be smaller.
    A tile that is not finite in half precision is made again in float32, with a line. Raises ResultNotFinite if it is
    not then either.
    """
    smallest = scale * least_side(overlap, grid)
    tile = max(smallest, min(tile, scale * max(photo.shape[:2])))
    tiles = [tile]
    while tiles[-1] > smallest:
        tiles.append(max(smallest, tiles[-1] // 2))
    with precision_for(model, photo.dtype):
        return first_that_fits(
            [
                (f"tiles of {tile} pixels", partial(enhance_in_tiles, model, photo, scale, tile, overlap, grid))
                for tile in tiles
            ],
            hint=" (--tile)",
        )


@torch.inference_mode()
def enhance_together(model: nn.Module, photos: Sequence[np.ndarray]) -> list[np.ndarray]:
    """`enhance` for photos of one size and depth, each in one piece, all of them in one pass of the model.

    Raises ResultNotFinite if one of them is not finite, in the precision that the model has.
    """
    batch = torch.cat([to_tensor(photo) for photo in photos]).to(device_of(model))
    with precision_for(model, photos[0].dtype):
        return [to_pixels(result[None], photos[0].dtype) for result in check_finite(model(batch))]


def device_of(model: nn.Module) -> torch.device:
    """The device of a model's weights; the CPU if it has none, as an ONNX file opened by onnxruntime."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def enhance_in_tiles(model: nn.Module, photo: np.ndarray, scale: int, tile: int, overlap: int, grid: int) -> np.ndarray:
    """`enhance` with tiles of one size."""
    tile = max(tile // scale, least_side(overlap, grid))
    device = device_of(model)
    height, width = photo.shape[:2]
    tile_height, tile_width = (smallest_tile(side, tile, overlap, grid) for side in (height, width))
    rows, columns = tile_starts(height, tile_height, overlap, grid), tile_starts(width, tile_width, overlap, grid)
    row_weights = tile_weights([scale * y for y in rows], scale * tile_height, scale * height, device)
    column_weights = tile_weights([scale * x for x in columns], scale * tile_width, scale * width, device)
    result, peak = np.empty((scale * height, scale * width, 3), photo.dtype), peak_of(photo.dtype)
    whole_numbers = torch.uint8 if photo.dtype == np.uint8 else torch.int32
    band = torch.zeros(scale * min(tile_height, height), scale * width, 3, device=device)
    count, again, started = len(rows) * len(columns), 0, time.monotonic()
    progress = tqdm(total=count, unit="tile", leave=False, disable=None)  # shown on a terminal only
    for y, row_weight, next_y in zip(rows, row_weights, [*rows[1:], height], strict=True):
        for x, column_weight in zip(columns, column_weights, strict=True):
            piece = to_tensor(photo[y : y + tile_height, x : x + tile_width]).to(device)
            pixels, second_time = run_finite(model, piece)
            output, again = pixels[0].clamp(0, 1).permute(1, 2, 0).float(), again + second_time
            weight = row_weight[:, None, None] * column_weight[None, :, None]
            band[: len(output), scale * x : scale * (x + tile_width)] += weight * output
            progress.update()
        if y == 0 and (minutes := len(rows) * (time.monotonic() - started) / 60) >= 1:
            log.info("%d x %d px: %d tiles, about %.0f minutes", *result.shape[1::-1], count, minutes)
        done = scale * (next_y - y)
        result[scale * y : scale * next_y] = (band[:done] * peak).round().clamp(0, peak).to(whole_numbers).cpu().numpy()
        band = torch.cat([band[done:], torch.zeros(done, *band.shape[1:], device=device)])
    progress.close()
    if again:
        say_again(model, f"{again} of {count} tiles")
    return result


def tile_weights(starts: Sequence[int], tile: int, length: int, device: torch.device | None = None) -> list[Tensor]:
    """Each tile's weights along one axis: 1 where it is alone, linear ramps where two meet; they add up to 1."""
    ramps = torch.zeros(len(starts), length)
    for ramp, start, before, after in zip(ramps, starts, [None, *starts[:-1]], [*starts[1:], None], strict=True):
        size = min(tile, length - start)
        position = torch.arange(size) + 0.5
        ramp[start : start + size] = 1.0
        if before is not None:
            ramp[start : start + size] = torch.minimum(ramp[start : start + size], position / (before + tile - start))
        if after is not None:
            distance = size - position
            ramp[start : start + size] = torch.minimum(ramp[start : start + size], distance / (start + tile - after))
    ramps /= ramps.sum(dim=0)
    return [ramp[start : start + tile].to(device) for ramp, start in zip(ramps, starts, strict=True)]
