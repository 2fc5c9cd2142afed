"""Pictures with more than 8 bits a channel, of which Pillow gives 8 or leaves open what is white: PNG and TIFF."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from common.photos.orientation import turn_upright

WHITE = 65_535
COLORS = ("RGB", "RGBA")
GREYS = ("I", "I;16", "I;16B", "I;16L", "I;16N")

# Of each 16-bit number Pillow keeps the high byte. Told that they are in the other byte order, it keeps the low one.
OTHER_ORDER = {";16B": ";16L", ";16L": ";16B", ";16N": ";16B" if sys.byteorder == "little" else ";16L"}
GREY_ALPHA = "LA;16B"  # four bytes a pixel: read as if they were RGBA of 8 bits, all of them come

# TIFF's tags
BITS, PHOTOMETRY, MIN_VALUE, MAX_VALUE, SAMPLE_FORMAT, SIGNED_MIN, SIGNED_MAX = 258, 262, 280, 281, 339, 340, 341


@dataclass(frozen=True)
class Depth:
    """How the numbers of a file with more than 8 bits are meant."""

    raw_mode: str = "I;16"  # as Pillow names their layout in the file
    black: float = 0
    white: float | None = WHITE  # None: it depends on the numbers
    is_32_bits: bool = False  # without a sign, where Pillow takes them as signed

    @property
    def is_plain(self) -> bool:
        """Whether Pillow's 8 bits are the high bytes of what is meant."""
        return not self.raw_mode.startswith("I") and (self.black, self.white) == (0, WHITE)


def find_depth(image: Image.Image) -> Depth | None:
    """Of an opened file, before its pixels are loaded. None if 8 bits are all that it has.

    Raises ValueError for a layout that Pillow reads as if it had 8, and for numbers without a defined white.
    """
    if image.mode in GREYS:
        return Depth(raw_mode="I;16") if not isinstance(image, TiffImageFile) else find_range(image, "I;16")
    if image.mode not in COLORS or not isinstance(image, PngImageFile | TiffImageFile):
        return None
    raw_modes = [get_raw_mode(tile.args) for tile in image.tile]
    deep = all(any(order in raw_mode for order in OTHER_ORDER) for raw_mode in raw_modes)
    if isinstance(image, PngImageFile):
        return Depth(raw_modes[0]) if deep and raw_modes else None
    if not deep and max(image.tag_v2.get(BITS, (8,))) > 8:
        raise ValueError("more than 8 bits, each colour in a plane of its own: save it with the colours interleaved")
    return find_range(image, raw_modes[0]) if deep and raw_modes else None


def find_range(tiff: TiffImageFile, raw_mode: str) -> Depth:
    """What is black and what is white. The largest value that a tag names counts if it is that of a bit depth: else it
    is only the brightest pixel's (TIFF 6.0, MaxSampleValue)."""
    bits, kind = max(tiff.tag_v2.get(BITS, (1,))), max(tiff.tag_v2.get(SAMPLE_FORMAT, (1,)))
    low, high = get_number(tiff, SIGNED_MIN, MIN_VALUE), get_number(tiff, SIGNED_MAX, MAX_VALUE)
    black, white = 0.0, 2.0**bits - 1
    if kind == 2:  # signed
        if low is not None and high is not None and low < high:
            black, white = low, high
        elif bits == 16:
            raise ValueError(
                "signed numbers, whose white no tag names (SMinSampleValue, SMaxSampleValue): save it unsigned"
            )
        else:
            white = None
    elif high is not None and high in [2.0**depth - 1 for depth in range(9, bits)]:
        white = high
    elif bits == 32:
        white = None
    if tiff.tag_v2.get(PHOTOMETRY) == 0:  # 0 is white; of 8 bits Pillow knows that
        if white is None:
            raise ValueError("32 bits, where 0 is white: save it with 0 as black")
        black, white = white, black
    return Depth(raw_mode, black, white, is_32_bits=bits == 32 and kind == 1)


def get_number(tiff: TiffImageFile, *tags: int) -> float | None:
    """The first of these tags that is there: the largest number in it."""
    for tag in tags:
        value = tiff.tag_v2.get(tag)
        if value is not None:
            return float(max(value) if isinstance(value, tuple) else value)
    return None


def read_all_bits(path: Path, image: Image.Image, depth: Depth, orientation: int) -> np.ndarray:
    """(H, W, 1 to 4) uint16: grey, grey and alpha, RGB, or RGBA. image: upright, by this orientation.

    Raises whatever Pillow raises for a layout that it cannot read in this way, and ValueError.
    """
    if depth.raw_mode.startswith("I"):
        values = np.asarray(image)[..., None]
        values = values.view(np.uint32) if depth.is_32_bits else values
    elif depth.raw_mode == GREY_ALPHA:
        high_low = np.asarray(turn_upright(open_as(path, "RGBA"), orientation)).astype(np.uint16)
        values = high_low[..., ::2] * 256 + high_low[..., 1::2]
    elif "a;16" in depth.raw_mode:
        raise ValueError("its colours are multiplied by its transparency")
    else:
        values = np.asarray(image).astype(np.uint16) * 256 + np.asarray(turn_upright(open_as(path), orientation))
    values = scale(values, depth)
    return add_transparency(values, image.info.get("transparency"))


def scale(values: np.ndarray, depth: Depth) -> np.ndarray:
    """uint16 of values in the depth's range."""
    black, white = depth.black, depth.white
    if white is None:  # 32 bits, which often hold 16
        if values.min() < 0:
            raise ValueError("signed numbers below 0, whose black no tag names (SMinSampleValue): save it unsigned")
        white = WHITE if values.max() <= WHITE else 2**32 - 1 if depth.is_32_bits else None
        if white is None:
            raise ValueError("signed numbers, whose white no tag names (SMaxSampleValue): save it unsigned")
    if (black, white) == (0, WHITE):
        return values.astype(np.uint16)
    if (black, white) == (WHITE, 0):
        return WHITE - values.astype(np.uint16)
    parts = (values.astype(np.float64) - black) / (white - black)
    return (parts * WHITE).round().clip(0, WHITE).astype(np.uint16)


def add_transparency(values: np.ndarray, color: Any) -> np.ndarray:
    """With an alpha channel, 0 where the pixel has this colour (PNG's tRNS)."""
    if color is None or values.shape[2] in (2, 4):
        return values
    seen = (values != np.asarray(color, np.uint16)).any(axis=2, keepdims=True)
    return np.dstack([values, WHITE * seen.astype(np.uint16)])


def open_as(path: Path, raw_mode: str | None = None) -> ImageFile:
    """The picture as if its pixels lay so in the file; None: in the other byte order, which gives the low bytes."""
    with Image.open(path) as image:
        image.tile = [tile._replace(args=set_raw_mode(tile.args, raw_mode)) for tile in image.tile]
        image.load()
        return image


def get_raw_mode(arguments: Any) -> str:
    """Of a tile's arguments: the mode that its pixels have in the file."""
    return arguments if isinstance(arguments, str) else str(arguments[0])


def set_raw_mode(arguments: Any, raw_mode: str | None) -> Any:
    """A tile's arguments with this mode, or with the other byte order."""
    old = get_raw_mode(arguments)
    if raw_mode is None:
        order = next(order for order in OTHER_ORDER if order in old)
        raw_mode = old.replace(order, OTHER_ORDER[order])
    return raw_mode if isinstance(arguments, str) else (raw_mode, *arguments[1:])
