"""Whether a photo was blurred or enlarged before: the spectrum of its details ends early."""

from typing import Any

import numpy as np

from common.models.onnx_model import OnnxModel
from common.photos.pixels import PEAK, peak_of
from superres.network import SuperResolver
from superres.sizes import size_by

TILE = 128  # pixels a side of the squares that are looked at
ACROSS = 8  # squares in each direction, at most
SEEN = 16  # of them, those with the most detail
FLAT = 1.0  # of 255: how much steps from pixel to pixel vary where there is detail
SMOOTH = 9  # frequencies that are one: blocks of JPEG make peaks
FALL = 10**-0.75  # 7.5 dB below the highest, where the spectrum ends
EARLY = 0.72  # of the highest frequency; sharp photos end later
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def remark(model: SuperResolver | OnnxModel, photo: np.ndarray, **options: Any) -> str | None:
    """What to know of a photo (H, W, 3) uint8 or uint16 that was blurred or enlarged before; of others None.

    Nor is there anything to say if the model keeps a photo's size, or the options ask for a smaller result.
    """
    wanted = size_by(options, *photo.shape[:2])
    if model.scale == 1 or (wanted is not None and wanted[0] < photo.shape[0]):
        return None
    end = end_of_spectrum(photo)
    if end is None or end >= EARLY:
        return None
    part = max(0.1, round(20 * end) / 20)
    return (
        f"looks enlarged or blurred already: its finest detail fits into {part:.0%} of its width, and most models "
        f"sharpen it little. Make it smaller first (scale {part:g}), then enlarge that"
    )


def end_of_spectrum(photo: np.ndarray) -> float | None:
    """(H, W, 3) uint8 or uint16 -> where its details end, in (0, 1]: a part of the highest frequency of its pixels.

    1 for a sharp photo; about 0.5 for one that was enlarged to twice its size. None if that cannot be told: of a photo
    with a side below 128 pixels, without colours, or without detail.

    Along a row, the power of edges falls with the square of the frequency, so power times that square is level as far
    as there is detail. It ends where that falls to 7.5 dB below its highest, across or down, whichever comes later. Of
    each frequency the upper decile counts, over the 16 most detailed of up to 64 squares: what is sharp in front of a
    blurred background is enough.

    Chosen on 30 photos of 2040 pixels, and tried on 55 others (`python -m benchmarks.blurred`): right on 52 to 55 sharp
    ones, as JPEG 75 to 95 or not, and on 51 to 55 that were enlarged to twice their size or blurred (sigma 2), as JPEG
    90 or not. Takes 20 ms for 12 megapixels.
    """
    if min(photo.shape[:2]) < TILE:
        return None
    squares = cut(photo)
    if all((square == square[..., :1]).all() for square in squares):
        return None
    lumas = [(PEAK / peak_of(photo.dtype)) * (square.astype(np.float32) @ LUMA) for square in squares]
    steps = [min(np.diff(luma, axis=axis).std() for axis in (0, 1)) for luma in lumas]
    best = [lumas[i] for i in np.argsort(steps)[::-1][:SEEN] if steps[i] >= FLAT]
    return max(end_along(np.stack(best), axis) for axis in (1, 2)) if best else None


def cut(photo: np.ndarray) -> list[np.ndarray]:
    """Squares of TILE pixels, evenly spaced over the photo."""
    tops, lefts = (np.linspace(0, side - TILE, min(ACROSS, side // TILE)).astype(int) for side in photo.shape[:2])
    return [photo[top : top + TILE, left : left + TILE] for top in tops for left in lefts]


def end_along(lumas: np.ndarray, axis: int) -> float:
    """(N, TILE, TILE) -> `end_of_spectrum` along an axis."""
    lumas = np.moveaxis(lumas, axis, 2)
    lumas = (lumas - lumas.mean(axis=2, keepdims=True)) * np.hanning(TILE).astype(np.float32)
    power = (np.abs(np.fft.rfft(lumas)) ** 2).mean(axis=1)[:, 1:]  # (N, TILE // 2), without the mean
    share = np.quantile(power / power.sum(axis=1, keepdims=True), 0.9, axis=0)
    frequency = np.arange(1, TILE // 2 + 1) / (TILE // 2)
    padded = np.pad(share * frequency**2, SMOOTH // 2, mode="edge")
    level = np.median(np.lib.stride_tricks.sliding_window_view(padded, SMOOTH), axis=1)
    peak = int(level.argmax())
    below = np.flatnonzero(level[peak:] < FALL * level[peak])
    return float(frequency[peak + below[0] - 1]) if len(below) else 1.0
