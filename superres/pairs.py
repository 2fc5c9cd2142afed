"""Pairs of files: the low side of each photo from `data.low`, under the same relative name."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from common.photos.flat import open_photo, open_photo_for_crops
from common.photos.open import PhotoError
from common.photos.pixels import to_tensor
from common.runtime.errors import UserError
from common.runtime.names import in_either_form

log = logging.getLogger(__name__)

MAX_NAMED = 3  # photos in a message
SAMPLED = 8  # pairs whose shift is measured
TOLERATED_SHIFT = 0.25  # pixels of the low side


def partner(photo: Path, folder: Path, low: Path) -> Path:
    """Where the low side of a photo below `folder` is."""
    return in_either_form(low.expanduser(), photo.relative_to(folder.expanduser()))


def open_side(path: Path, folder: Path, min_side: int, scale: int) -> Image.Image:
    """One side of a pair; PhotoError if it has no room for a crop of `min_side` pixels of the photo below `folder`."""
    is_photo = path.is_relative_to(folder.expanduser())
    return open_photo_for_crops(path, min_side if is_photo else min_side // scale)


def check_pairs(photos: Sequence[Path], folder: Path, low: Path, scale: int, key: str = "data.low =") -> None:
    """Raises UserError if a photo has no partner, or one that is not `scale` times as small; tells a shift.

    key: how messages begin.
    """
    find = partial(partner, folder=folder, low=low)
    missing = [photo for photo in photos if not find(photo).is_file()]
    if missing:
        raise UserError(f"{key} {low}: {count(missing)} without a file of the same name there: {name(missing)}")
    wrong: list[str] = []
    for photo in photos:
        try:
            (width, height), (low_width, low_height) = upright_size(photo), upright_size(find(photo))
        except PhotoError as error:
            raise UserError(f"{key} {low}: {error}") from None
        if (width, height) != (scale * low_width, scale * low_height):
            wrong.append(f"{photo} is {width} x {height} px, {find(photo)} {low_width} x {low_height}")
    if wrong:
        more = f"; and {len(wrong) - 1} more" * (len(wrong) > 1)
        raise UserError(f"{key} {low}: sizes must be {scale} times apart: {wrong[0]}{more}")
    shifts = [measure_shift(photo, find(photo)) for photo in photos[:: max(1, len(photos) // SAMPLED)][:SAMPLED]]
    across, down = np.median(np.array(shifts), axis=0)
    if max(abs(across), abs(down)) > TOLERATED_SHIFT:
        log.warning(
            "WARNING: the low sides are shifted by about %.1f px to the %s and %.1f px %s (in %d pairs): what is "
            "learned will be blurred by that; align the files first",
            abs(across), "left" if across < 0 else "right", abs(down), "up" if down < 0 else "down", len(shifts),
        )  # fmt: skip


def count(photos: Sequence[Path]) -> str:
    return f"{len(photos)} photo{'s' * (len(photos) > 1)}"


def name(photos: Sequence[Path]) -> str:
    return ", ".join(map(str, photos[:MAX_NAMED])) + ", ..." * (len(photos) > MAX_NAMED)


def upright_size(path: Path) -> tuple[int, int]:
    """(width, height) as the photo is seen, from its header. Raises PhotoError if it cannot be read."""
    try:
        with Image.open(path) as image:
            # Pillow has turned the size of a TIFF by itself, and keeps its tag until the pixels are read.
            turned = image.format != "TIFF" and image.getexif().get(0x0112, 1) >= 5
            return (image.height, image.width) if turned else image.size
    except Exception as error:  # Pillow's parsers raise errors of many kinds
        raise PhotoError(f"{path}: cannot be read ({error})") from error


def measure_shift(photo: Path, low: Path) -> tuple[float, float]:
    """(right, down): by how many of its pixels the low side is shifted, to a tenth (phase correlation)."""
    from skimage.registration import phase_cross_correlation  # brings SciPy

    small = open_photo(low).convert("L")
    large = open_photo(photo).convert("L").resize(small.size, Image.Resampling.BICUBIC)
    down, across = phase_cross_correlation(np.asarray(large), np.asarray(small), upsample_factor=10)[0]
    return -float(across), -float(down)


class PairInput:
    """The low side of held-out photos from their files, in place of `superres.data.Degrade`."""

    passes: Sequence[object] = ()

    def __init__(self, folder: Path, low: Path, scale: int) -> None:
        self.folder, self.low, self.scale = folder, low, scale

    def low_of(self, path: Path, sharp: Tensor) -> Tensor:
        """(1, 3, h, w) of the photo `path`. Raises PhotoError if its partner is not of the right size."""
        file = partner(path, self.folder, self.low)
        low = to_tensor(open_photo(file))
        if [self.scale * side for side in low.shape[-2:]] != list(sharp.shape[-2:]):
            raise PhotoError(f"{path} and {file}: sizes are not {self.scale} apart")
        return low
