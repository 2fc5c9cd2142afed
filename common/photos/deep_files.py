"""Files of 16 bits a channel, which Pillow does not write (PNG), and TIFFs with every tag as it was."""

import zlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from common.photos.formats import PNG_LEVEL
from common.photos.png_chunks import pack_chunk, split_chunks
from common.photos.tag_table import ICC
from common.photos.tags import (
    LONG,
    SHORT,
    UNDEFINED,
    Directory,
    Tag,
    Tags,
    get_numbers,
    make_tag,
    read_tags,
    reorder,
    to_bytes,
)

Buffer: TypeAlias = bytes | memoryview
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # by the number of channels
STRIP_OFFSETS, STRIP_SIZES = 273, 279


def write_png(path: Path, pixels: np.ndarray, options: dict[str, Any]) -> None:
    """Saves (H, W, 1 to 4) uint16: grey, grey and alpha, RGB, RGBA. options: of Pillow's `save`.

    Pillow writes everything else; the header's bit depth and the pixels (W3C PNG, 11.2 and 9) are replaced.
    """
    height, width, channels = pixels.shape
    like = BytesIO()
    Image.new(MODES[channels], (width, height)).save(like, "PNG", **options)
    rows = pixels.astype(">u2").view(np.uint8).reshape(height, -1)
    filtered = np.full((height, 1 + rows.shape[1]), 2, np.uint8)  # 2: the difference from the row above
    filtered[:, 1:] = rows - np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    data, written = like.getvalue(), False
    with path.open("wb") as file:
        file.write(data[:8])
        for name, content in split_chunks(data):
            if name == b"IHDR":
                content = content[:8] + b"\x10" + content[9:]
            elif name == b"IDAT":
                if written:
                    continue
                content, written = zlib.compress(filtered.tobytes(), PNG_LEVEL), True
            file.write(pack_chunk(name, content))


def write_tiff(
    path: Path, picture: Image.Image | np.ndarray, tags: Tags, compression: str | None = None, icc_profile: bytes = b""
) -> None:
    """Saves a picture of 8 bits, or (H, W, 1 to 4) uint16, with these tags as they are, in their byte order.

    compression: of 8 bits, as Pillow names it; 16 bits are compressed by deflate.
    """
    if isinstance(picture, Image.Image):
        storage, strips = encode_8_bits(picture, tags.order, compression)
    else:
        storage, strips = encode_16_bits(picture, tags.order)
    if icc_profile:
        storage[ICC] = Tag(UNDEFINED, icc_profile)
    storage[STRIP_SIZES] = make_tag(tags.order, LONG, *map(len, strips))

    def make_block(start: int) -> bytes:
        offsets = start + np.cumsum([0, *map(len, strips[:-1])])
        places = {STRIP_OFFSETS: make_tag(tags.order, LONG, *offsets.tolist())}
        return to_bytes(Tags(tags.order, tags.main | storage | places, tags.maker_note_at))

    with path.open("wb") as file:
        file.write(make_block(len(make_block(0))))
        file.writelines(strips)


def encode_8_bits(picture: Image.Image, order: str, compression: str | None) -> tuple[Directory, Sequence[Buffer]]:
    """How Pillow stores it: tags, and the strips."""
    buffer = BytesIO()
    picture.save(buffer, "TIFF", compression=compression, icc_profile=None)
    buffer.seek(0)
    tags = read_tags(buffer)
    places = zip(*(get_numbers(tags.order, tags.main[tag]) for tag in (STRIP_OFFSETS, STRIP_SIZES)), strict=True)
    data = buffer.getbuffer()
    return reorder(tags.main, tags.order, order), [data[start : start + size] for start, size in places]


def encode_16_bits(pixels: np.ndarray, order: str) -> tuple[Directory, Sequence[Buffer]]:
    """One strip (TIFF 6.0). Grey with alpha becomes RGB with alpha: Pillow reads no other."""
    if pixels.shape[2] == 2:
        pixels = pixels[..., [0, 0, 0, 1]]
    height, width, channels = pixels.shape
    numbers = {
        256: [width], 257: [height], 258: [16] * channels, 259: [8],  # deflate
        262: [1 if channels < 3 else 2],  # grey, RGB
        277: [channels], 278: [height], 284: [1],  # rows in a strip, colours interleaved
    }  # fmt: skip
    if channels == 4:
        numbers[338] = [2]  # alpha that colours are not multiplied by
    longs = (256, 257, 278)
    tags: Directory = {
        number: make_tag(order, LONG if number in longs else SHORT, *values) for number, values in numbers.items()
    }
    return tags, [zlib.compress(pixels.astype(f"{order}u2").tobytes(), 6)]
