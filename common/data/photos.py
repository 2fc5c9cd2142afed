"""Opening and saving photos of every kind that Pillow knows, upright, in 8 bits, with what belongs to them."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps

from common.data.formats import JPEG_SUFFIXES
from common.runtime.errors import UserError

log = logging.getLogger(__name__)


class PhotoError(UserError):
    """One photo that cannot be used; the message starts with its path."""


def open_photo(path: Path) -> Image.Image:
    """An upright RGB `PIL.Image` of any photo: grey, palette, CMYK, 16-bit; transparency is put on white.

    Raises PhotoError if the file is missing, not a picture, truncated or of an unknown kind.
    """
    return flatten_to_rgb(decode_photo(path))


def decode_photo(path: Path, least_side: int | None = None) -> Image.Image:
    """The upright first frame, with its own mode (16-bit modes reduced to 'L').

    least_side: a JPEG is decoded 2, 4 or 8 times smaller, in a fraction of the time, if its sides stay that long.
    """
    try:
        with Image.open(path) as image:
            if least_side is not None:
                image.draft(None, (least_side, least_side))
            image.load()
            return reduce_to_8_bits(path, apply_orientation(path, image))
    except (PhotoError, MemoryError):
        raise
    except FileNotFoundError:
        raise PhotoError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise PhotoError(f"{path}: a folder, not a picture") from None
    except Image.UnidentifiedImageError:
        empty = Path(path).stat().st_size == 0
        raise PhotoError(f"{path}: {'the file is empty' if empty else 'not a picture that Pillow can read'}") from None
    except Image.DecompressionBombError as error:
        raise PhotoError(f"{path}: too large to open safely ({error})") from None
    except Exception as error:  # on broken data Pillow's decoders raise OSError, SyntaxError, struct.error and others
        raise PhotoError(f"{path}: broken ({error})") from None


def apply_orientation(path: Path, image: Image.Image) -> Image.Image:
    """The picture turned as its EXIF says; EXIF that cannot be parsed is left out with a line."""
    try:
        turned = ImageOps.exif_transpose(image)
        turned.getexif().tobytes()
    except Exception as error:  # Pillow's EXIF parser raises SyntaxError, struct.error, TypeError and others
        log.warning("%s: its EXIF is damaged and left out (%s)", path, error)
        turned = image.copy()
        turned.info.pop("exif", None)
    return turned


def reduce_to_8_bits(path: Path, image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion would clip it to white
        values = np.asarray(image, dtype=np.float64) / 257
        return copy_info(Image.fromarray(values.round().clip(0, 255).astype(np.uint8)), image)
    if image.mode == "F":
        raise PhotoError(f"{path}: floating-point pictures have no defined white; save it with 8 or 16 bits")
    return image


def copy_info(image: Image.Image, like: Image.Image) -> Image.Image:
    image.info.update(like.info)
    return image


def flatten_to_rgb(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def open_photo_for_crops(path: Path, min_side: int, least_side: int | None = None) -> Image.Image:
    """`open_photo`, and PhotoError for a photo with a side below `min_side` pixels. least_side: of `decode_photo`."""
    image = flatten_to_rgb(decode_photo(path, least_side))
    if min(image.size) < min_side:
        raise PhotoError(f"{path}: {image.width} x {image.height} px, smaller than the {min_side} px crop")
    return image


def shrunk_size(height: int, width: int, size: int) -> tuple[int, int]:
    """(height, width) of the copy whose short side has `size` pixels; never larger than the photo."""
    part = min(1, size / min(height, width))
    return max(1, round(part * height)), max(1, round(part * width))


def open_shrunk_photo(path: Path, crop: int, min_scale: float) -> Image.Image:
    """`open_photo_for_crops` for crops of at least the part `min_scale` of its area, and no larger than these need."""
    size = round(crop / min_scale**0.5)
    photo = open_photo_for_crops(path, min_side=crop, least_side=8 * size)
    height, width = shrunk_size(photo.height, photo.width, size)
    return photo.resize((width, height), reducing_gap=2)


class PhotoCache:
    """A function that opens photos, made to keep those that fit into `max_bytes`."""

    def __init__(self, open_photo: Callable[[Path], Image.Image], max_bytes: int) -> None:
        self.open, self.max_bytes, self.bytes = open_photo, max_bytes, 0
        self.photos: dict[Path, Image.Image] = {}

    def __call__(self, path: Path) -> Image.Image:
        if path in self.photos:
            return self.photos[path]
        photo = self.open(path)
        size = 3 * photo.width * photo.height
        if self.bytes + size <= self.max_bytes:
            self.photos[path] = photo
            self.bytes += size
        return photo


@dataclass(frozen=True)
class Photo:
    """A photo to be enhanced: upright pixels, and what must come back with them."""

    rgb: np.ndarray  # (H, W, 3) uint8
    alpha: Image.Image | None  # mode 'L', the same size
    is_grey: bool
    icc_profile: bytes | None
    exif: Image.Exif


def read_photo(path: Path) -> Photo:
    """A Photo, with its alpha channel, colour profile and EXIF. Raises PhotoError as `open_photo` does."""
    image = decode_photo(path)
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    rgb = np.asarray(image.convert("RGBA").convert("RGB") if alpha else image.convert("RGB"))
    profile = image.info.get("icc_profile")
    if image.mode == "CMYK":  # the profile describes inks that are no longer there
        profile = None
    return Photo(rgb, alpha, image.mode in ("1", "L", "LA"), profile, image.getexif())


def to_rgb_photo(photo: Photo) -> Photo:
    """A grey Photo as one whose result is saved in RGB; the tones that its grey profile describes become sRGB's.

    A profile for RGB stays, whatever the photo: it fits the result.
    """
    if not photo.is_grey or photo.icc_profile is None or photo.icc_profile[16:20] == b"RGB ":
        return replace(photo, is_grey=False)
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(photo.icc_profile))
        grey = Image.fromarray(np.ascontiguousarray(photo.rgb[..., 0]))
        rgb = np.asarray(ImageCms.profileToProfile(grey, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"))
    except (ImageCms.PyCMSError, OSError) as error:
        log.warning("a colour profile that does not fit a grey photo is left out (%s)", error)
        rgb = photo.rgb
    return replace(photo, rgb=rgb, is_grey=False, icc_profile=None)


def write_photo(path: Path, rgb: np.ndarray, like: Photo) -> None:
    """Saves (H, W, 3) uint8 pixels as `path`'s ending says, with the alpha, profile and EXIF of the Photo `like`.

    A grey photo is saved grey. JPEG at quality 95 without chroma subsampling and without alpha, WebP lossless.
    Raises PhotoError if the format cannot hold the picture.
    """
    image = Image.fromarray(rgb)
    if like.is_grey:
        image = image.convert("L")
    if like.alpha is not None and Path(path).suffix.lower() not in JPEG_SUFFIXES:
        image.putalpha(like.alpha.resize(image.size, Image.Resampling.BICUBIC))
    suffix = Path(path).suffix.lower()
    options: dict[str, Any] = {"quality": 95, "subsampling": 0} if suffix in JPEG_SUFFIXES else {}
    if suffix == ".webp":
        options["lossless"] = True
    if like.icc_profile is not None:
        options["icc_profile"] = like.icc_profile
    try:
        image.save(path, exif=like.exif, **options)
    except (OSError, ValueError, KeyError) as error:
        raise PhotoError(
            f"{path}: a {image.width} x {image.height} {image.mode} picture cannot be saved: {error}"
        ) from error
