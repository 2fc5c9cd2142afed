"""Writing results as the photo was: in its format, with its depth, alpha, profile and metadata."""

import logging
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from common.photos.deep_files import write_png, write_tiff
from common.photos.flat import put_on_white
from common.photos.formats import JPEG_SUFFIXES, PNG_LEVEL, TIFF_SUFFIXES
from common.photos.metadata_options import save_options
from common.photos.open import PhotoError
from common.photos.pixels import to_8_bits
from common.photos.whole import Photo, to_picture, to_srgb_photo

log = logging.getLogger(__name__)

DEEP_SUFFIXES = (".png", *TIFF_SUFFIXES)  # of the formats that hold 16 bits
MAX_JPEG_PROFILE = 255 * 65_519  # bytes, in 255 segments


def write_photo(path: Path, rgb: np.ndarray, like: Photo, quality: int | None = None, name: Path | None = None) -> None:
    """Saves (H, W, 3) pixels as `path`'s ending says, with the alpha, profile and metadata of the Photo `like`.

    uint16 pixels are saved with 16 bits where the format has them: in PNG and TIFF.

    A grey photo is saved grey. JPEG without chroma subsampling. JPEG and BMP are on white. quality: of JPEG and
    WebP, 1 to 100; None is 95, and lossless for WebP unless the photo is a lossy WebP. What the format has no place for
    is left out, with a line. name: of the file in messages, if `path` is a temporary one. Raises PhotoError if the
    picture cannot be saved so.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in JPEG_SUFFIXES and len(like.icc_profile or b"") > MAX_JPEG_PROFILE:
        like = to_srgb_photo(replace(like, rgb=rgb))
        rgb = like.rgb
        log.warning("%s: in sRGB, as the photo's colour profile is too large for a JPEG", name or path)
    if suffix not in DEEP_SUFFIXES:
        rgb = to_8_bits(rgb)
    image = to_picture(rgb, like)
    is_transparent = False
    if image.mode.endswith("A") and suffix in (*JPEG_SUFFIXES, ".bmp"):
        is_transparent = image.getchannel("A").histogram()[255] < image.width * image.height
        image = put_on_white(image.convert(image.mode[:-1]), image.getchannel("A"))
    try:
        options, left_out = save_options(like.metadata, suffix, image.size)
        left_out += ["transparency (the result is on white)"] if is_transparent else []
        if left_out:
            log.warning("%s: left out: %s", name or path, "; ".join(left_out))
        options |= format_options(suffix, quality, like)
        deep = add_alpha(rgb, image) if rgb.dtype == np.uint16 else None
        if suffix in TIFF_SUFFIXES:
            write_tiff(path, image if deep is None else deep, **options)
        elif deep is not None:
            write_png(path, deep, options)
        else:
            image.save(path, **options)
    except (OSError, ValueError, KeyError, struct.error) as error:  # struct: a TIFF of over 4 GB, a tag too large
        raise PhotoError(
            f"{name or path}: a {image.width} x {image.height} {image.mode} picture cannot be saved: {error}"
        ) from error


def format_options(suffix: str, quality: int | None, like: Photo) -> dict[str, Any]:
    """What `Image.save` is told of a format and the colours."""
    options: dict[str, Any] = {"icc_profile": like.icc_profile} if like.icc_profile is not None else {}
    if suffix in JPEG_SUFFIXES:
        options |= {"quality": quality or 95, "subsampling": 0}
    if suffix == ".png":
        options["compress_level"] = PNG_LEVEL
    if suffix == ".webp":
        lossy = quality is not None or like.metadata.is_lossy_webp
        options |= {"quality": quality or 95} if lossy else {"lossless": True}
    return options


def to_luma(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint16 -> (H, W, 1), as Pillow makes a picture of 8 bits grey."""
    red, green, blue = (rgb[..., i].astype(np.uint32) for i in range(3))
    return ((299 * red + 587 * green + 114 * blue + 500) // 1000).astype(np.uint16)[..., None]


def add_alpha(rgb: np.ndarray, image: Image.Image) -> np.ndarray:
    """(H, W, 1 to 4) uint16: as many channels as the picture of 8 bits has."""
    colors = to_luma(rgb) if image.mode.startswith("L") else rgb
    if not image.mode.endswith("A"):
        return colors
    return np.dstack([colors, 257 * np.asarray(image.getchannel("A"), dtype=np.uint16)])
