"""A model on a photo of any size in bounded memory: overlapping tiles, blended so that no seam is to be seen."""

import logging
import math
from contextlib import contextmanager, nullcontext

import numpy as np
import torch
from tqdm import tqdm

from common.runtime.errors import UserError

log = logging.getLogger(__name__)

TILE, OVERLAP = 1024, 32


def get_device(name="auto"):
    """'auto' -> the GPU if there is one, else the CPU; other names as torch knows them. UserError if not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"device {name}: not available here ({str(error).splitlines()[0]}); use auto or cpu") from None


def tile_starts(length, tile, overlap, grid=1):
    """Where tiles of `tile` pixels start so that they cover `length` evenly and share at least `overlap` pixels.

    Starts are multiples of `grid`; with more than 1 the last tile may be a little smaller than the others.
    """
    if length <= tile:
        return [0]
    count = math.ceil((length - overlap) / (tile - overlap - grid + 1))
    starts = (math.ceil(round(i * (length - tile) / (count - 1)) / grid) * grid for i in range(count))
    return list(dict.fromkeys(starts))  # on a coarse grid two may meet


def smallest_tile(length, tile, overlap, grid=1):
    """The smallest tile, in steps of 32 pixels, that covers `length` in as many pieces as `tile`; at most `tile`.

    So the overlaps are as small as allowed: 2,048 pixels in 5 tiles of 448, not of 512.
    """
    count = len(tile_starts(length, tile, overlap, grid))
    least = math.ceil((length - overlap) / count) + overlap + grid - 1
    return min(tile, math.ceil(least / 32) * 32)


def tile_weights(starts, tile, length):
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
    return [ramp[start : start + tile] for ramp, start in zip(ramps, starts, strict=True)]


def to_tensor(pixels):
    """(H, W, 3) uint8 -> (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255


def to_pixels(image):
    """(1, 3, H, W) in [0, 1] -> (H, W, 3) uint8, rounded."""
    return (image[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()


@torch.inference_mode()
def enhance(model, photo, scale=1, tile=TILE, overlap=OVERLAP, grid=1, prepare=nullcontext):
    """Runs `model`, (1, 3, h, w) in [0, 1] -> (1, 3, scale h, scale w), over a photo: (H, W, 3) uint8 to the same.

    The result is exactly `scale` times as large. If it fits into `tile` x `tile` pixels it is made in one piece, else
    in tiles no larger (but of at least 3 overlaps) that share `overlap` pixels of the photo or more, with linear
    cross-fades. They start at multiples of `grid` pixels of it, for networks with a texture of that grid. Beside
    the photo and the result only one row of tiles is held. `model` must be in eval mode, on the device to run on.

    prepare(tile) is a context that all tiles are worked off in, for what a network must know of the whole photo.
    Where memory runs out it begins again with tiles of half the size, and raises MemoryError if they cannot be smaller.
    """
    smallest = 3 * overlap * scale
    tile = max(smallest, min(tile, scale * max(photo.shape[:2])))
    while True:
        try:
            with prepare(tile):
                return enhance_in_tiles(model, photo, scale, tile, overlap, grid)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        if tile == smallest:
            raise MemoryError(f"not enough memory for a tile of {tile} pixels")
        half = max(smallest, tile // 2)
        log.warning("not enough memory for tiles of %d pixels: goes on with %d (--tile)", tile, half)
        tile = half
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def is_out_of_memory(error):
    """Of a GPU or of the machine, in the words of torch's allocators and CUDA's libraries."""
    words = ("out of memory", "ALLOC_FAILED", "can't allocate memory")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(word in str(error) for word in words)


@contextmanager
def out_of_memory_is_user_error(size):
    """UserError if memory runs out. size: the user's word for the side of the picture that is worked on."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(f"{size}: does not fit into memory; half of it needs a quarter") from error


def enhance_in_tiles(model, photo, scale, tile, overlap, grid):
    tile = max(tile // scale, 3 * overlap)
    device = next(model.parameters()).device
    height, width = photo.shape[:2]
    tile_height, tile_width = (smallest_tile(side, tile, overlap, grid) for side in (height, width))
    rows, columns = tile_starts(height, tile_height, overlap, grid), tile_starts(width, tile_width, overlap, grid)
    row_weights = tile_weights([scale * y for y in rows], scale * tile_height, scale * height)
    column_weights = tile_weights([scale * x for x in columns], scale * tile_width, scale * width)
    result = np.empty((scale * height, scale * width, 3), np.uint8)
    band = torch.zeros(scale * min(tile_height, height), scale * width, 3)
    progress = tqdm(total=len(rows) * len(columns), unit="tile", leave=False, disable=None)  # shown on a terminal only
    for y, row_weight, next_y in zip(rows, row_weights, [*rows[1:], height], strict=True):
        for x, column_weight in zip(columns, column_weights, strict=True):
            piece = to_tensor(photo[y : y + tile_height, x : x + tile_width]).to(device)
            output = model(piece)[0].clamp(0, 1).permute(1, 2, 0).float().cpu()
            weight = row_weight[:, None, None] * column_weight[None, :, None]
            band[: len(output), scale * x : scale * (x + tile_width)] += weight * output
            progress.update()
        done = scale * (next_y - y)
        result[scale * y : scale * next_y] = (band[:done] * 255).round().clamp(0, 255).byte().numpy()
        band = torch.cat([band[done:], torch.zeros(done, *band.shape[1:])])
    progress.close()
    return result
