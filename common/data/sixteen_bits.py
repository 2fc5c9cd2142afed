"""Colour with 16 bits a channel, of which Pillow reads and writes 8: PNG and TIFF."""

import struct
import sys
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile
from PIL.TiffTags import TAGS_V2_GROUPS

SUFFIXES = (".png", ".tif", ".tiff")  # of the formats that hold them
MODES = {3: "RGB", 4: "RGBA"}  # by the number of channels

# Of each 16-bit number Pillow keeps the high byte. Told that they are in the other byte order, it keeps the low one.
OTHER_ORDER = {";16B": ";16L", ";16L": ";16B", ";16N": ";16B" if sys.byteorder == "little" else ";16L"}


def has_16_bits(image: Image.Image) -> bool:
    """Whether an opened colour file, before its pixels are loaded, has more than the 8 bits that Pillow will give.

    Raises ValueError for a layout that Pillow reads as if it had 8.
    """
    if image.mode not in MODES.values() or not isinstance(image, PngImageFile | TiffImageFile):
        return False
    deep = all(any(order in get_raw_mode(tile.args) for order in OTHER_ORDER) for tile in image.tile)
    if not deep and isinstance(image, TiffImageFile) and max(image.tag_v2.get(258, (8,))) > 8:
        raise ValueError("more than 8 bits, each colour in a plane of its own: save it with the colours interleaved")
    return deep


def open_low_bytes(path: Path) -> ImageFile:
    """The picture of the low bytes of a file with 16 bits, loaded: 256 times what Pillow gives plus this is all.

    Raises whatever Pillow raises for a layout that it cannot read in this way.
    """
    with Image.open(path) as image:
        image.tile = [tile._replace(args=swap_bytes(tile.args)) for tile in image.tile]
        image.load()
        return image


def get_raw_mode(arguments: Any) -> str:
    """Of a tile's arguments: the mode that its pixels have in the file."""
    return arguments if isinstance(arguments, str) else str(arguments[0])


def swap_bytes(arguments: Any) -> Any:
    """A tile's arguments with the other byte order."""
    raw_mode = get_raw_mode(arguments)
    order = next(order for order in OTHER_ORDER if order in raw_mode)
    swapped = raw_mode.replace(order, OTHER_ORDER[order])
    return swapped if isinstance(arguments, str) else (swapped, *arguments[1:])


def write_16_bits(path: Path, pixels: np.ndarray, options: dict[str, Any]) -> None:
    """Saves (H, W, 3) or (H, W, 4) uint16 as a PNG or TIFF. options: of Pillow's `save` for that format."""
    if path.suffix.lower() == ".png":
        write_png(path, pixels, options)
    else:
        write_tiff(path, pixels, options)


def write_png(path: Path, pixels: np.ndarray, options: dict[str, Any]) -> None:
    """Pillow writes everything else; the header's bit depth and the pixels (W3C PNG, 11.2 and 9) are replaced."""
    height, width, channels = pixels.shape
    like = BytesIO()
    Image.new(MODES[channels], (width, height)).save(like, "PNG", **options)
    rows = pixels.astype(">u2").view(np.uint8).reshape(height, -1)
    filtered = np.full((height, 1 + rows.shape[1]), 2, np.uint8)  # 2: the difference from the row above
    filtered[:, 1:] = rows - np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    data, position, written = like.getvalue(), 8, False
    with path.open("wb") as file:
        file.write(data[:8])
        while position < len(data):
            size, name = struct.unpack(">I4s", data[position : position + 8])
            content = data[position + 8 : position + 8 + size]
            position += 12 + size
            if name == b"IHDR":
                content = content[:8] + b"\x10" + content[9:]
            elif name == b"IDAT":
                if written:
                    continue
                content, written = zlib.compress(filtered.tobytes(), 6), True
            file.write(struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content)))


def write_tiff(path: Path, pixels: np.ndarray, options: dict[str, Any]) -> None:
    """One strip, compressed by deflate, with the tags of Pillow's `exif`, `dpi` and `icc_profile` (TIFF 6.0)."""
    height, width, channels = pixels.shape
    strip = zlib.compress(pixels.astype("<u2").tobytes(), 6)
    tags, exif = ImageFileDirectory_v2(), options.get("exif", {})
    for key in exif:
        tags[key] = exif.get_ifd(key) if key in TAGS_V2_GROUPS else exif[key]
    tags[256], tags[257], tags[258], tags[259] = width, height, (16,) * channels, 8  # size, bits, deflate
    tags[262], tags[277], tags[284] = 2, channels, 1  # RGB, channels, interleaved
    tags[278], tags[279], tags[273] = height, len(strip), 0  # rows and bytes of the strip; Pillow adds where it begins
    if channels == 4:
        tags[338] = 2  # alpha that colours are not multiplied by
    if "dpi" in options:
        tags[282], tags[283], tags[296] = *options["dpi"], 2
    if "icc_profile" in options:
        tags[34675] = options["icc_profile"]
    with path.open("wb") as file:
        tags.save(file)
        file.write(strip)
