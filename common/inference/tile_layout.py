"""Where the tiles of a large photo lie, along one axis. Arithmetic alone: it needs no torch."""

import math

TILE, OVERLAP = 1024, 32  # pixels: the largest side of a tile of the result; what two tiles of the photo share


def least_side(overlap: int, grid: int = 1) -> int:
    """The side of the smallest tiles allowed: 3 overlaps, and enough for the next one to start further on the grid."""
    return max(3 * overlap, overlap + grid)


def tile_starts(length: int, tile: int, overlap: int, grid: int = 1) -> list[int]:
    """Where tiles of `tile` pixels start so that they cover `length` evenly and share at least `overlap` pixels.

    Starts are multiples of `grid`; with more than 1 the last tile may be a little smaller than the others.
    """
    if length <= tile:
        return [0]
    count = math.ceil((length - overlap) / (tile - overlap - grid + 1))
    starts = (math.ceil(round(i * (length - tile) / (count - 1)) / grid) * grid for i in range(count))
    return list(dict.fromkeys(starts))  # on a coarse grid two may meet


def smallest_tile(length: int, tile: int, overlap: int, grid: int = 1) -> int:
    """The smallest tile, in steps of 32 pixels, that covers `length` in as many pieces as `tile`; at most `tile`.

    So the overlaps are as small as allowed: 2,048 pixels in 5 tiles of 448, not of 512.
    """
    count = len(tile_starts(length, tile, overlap, grid))
    least = math.ceil((length - overlap) / count) + overlap + grid - 1
    return min(tile, math.ceil(least / 32) * 32)
