"""Opening photos of every kind that Pillow knows, upright, with what their numbers mean."""

import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin
from PIL.ExifTags import Base
from PIL.ImageFile import ImageFile

from common.photos.formats import CAN_READ_HEIF, HEIF_SUFFIXES, INSTALL_HEIF
from common.photos.matrix_profile import convert_16_bits
from common.photos.metadata import Metadata, count_frames, read_metadata, read_photo_tags
from common.photos.orientation import copy_info, turn_upright
from common.photos.pixels import to_8_bits
from common.photos.png_chunks import read_chunks
from common.photos.png_colors import NAMES, find_profile, name_hdr, read_nclx
from common.photos.profiles import is_srgb
from common.photos.sixteen_bits import GREY_ALPHA, GREYS, Depth, find_depth, get_raw_mode, read_all_bits
from common.photos.tags import Tags
from common.runtime.errors import UserError
from common.runtime.messages import warn_once

# Pillow refuses twice as many: 500 megapixels, which are 1.5 GB. Phones take 200.
Image.MAX_IMAGE_PIXELS = 250_000_000
warnings.simplefilter("ignore", Image.DecompressionBombWarning)
PngImagePlugin.MAX_TEXT_CHUNK = 64 * 2**20  # bytes; profiles of printers and histories of editors are over its 1 MB
NO_WHITE = "floating-point pictures have no defined white; save it with 8 or 16 bits"


def allow_huge_photos() -> None:
    """From now on photos have as many pixels as memory holds."""
    Image.MAX_IMAGE_PIXELS = None


if CAN_READ_HEIF:
    import pillow_heif

    pillow_heif.register_heif_opener()


class PhotoError(UserError):
    """One photo that cannot be used; the message starts with its path."""


class UnsuitablePhoto(PhotoError):
    """One that is not as what was asked of it needs; the message does not name it."""


@dataclass(frozen=True)
class Decoded:
    """A photo as Pillow gives it, upright, with its profile in `info`, and what else its file holds."""

    path: Path
    image: Image.Image
    metadata: Metadata
    depth: Depth | None  # of more than 8 bits
    orientation: int  # by which the picture was turned

    @property
    def profile(self) -> bytes | None:
        return self.image.info.get("icc_profile")

    def read_all_bits(self) -> np.ndarray | None:
        """(H, W, 1 to 4) uint16, upright, of a photo with a depth. None, with a line, if only 8 bits can be read.

        Raises PhotoError if 8 of them mean nothing.
        """
        if self.depth is None:
            return None
        try:
            return read_all_bits(self.path, self.image, self.depth, self.orientation)
        except Exception as error:  # Pillow's decoders raise errors of many kinds
            reason = " ".join(str(error).split())
            if self.depth.is_plain:
                warn_once(f"{self.path}: only 8 of its 16 bits are used ({reason})")
                return None
            raise PhotoError(f"{self.path}: {reason}") from None


def decode_photo(path: Path, least_side: int | None = None) -> Image.Image:
    """The upright first frame in 8 bits, with its own mode and colours.

    least_side: a JPEG is decoded 2, 4 or 8 times smaller, in a fraction of the time, if its sides stay that long.
    """
    decoded = decode(path, least_side)
    image, depth, profile = decoded.image, decoded.depth, decoded.profile
    if depth is None or (depth.is_plain and "transparency" not in image.info and is_srgb(profile, image.mode)):
        return image
    pixels = decoded.read_all_bits()
    if pixels is None:
        return image
    colors, alpha = split_alpha(pixels)
    converted = convert_16_bits(colors, profile) if profile else None
    if converted is None:
        return to_8_bit_image(pixels, profile)
    return to_8_bit_image(np.dstack([converted, alpha]), None)


def split_alpha(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 1 to 4) -> the colours (H, W, 1 or 3), and alpha (H, W, 1 or 0)."""
    colors = pixels.shape[2] // 2 * 2 - 1 if pixels.shape[2] % 2 == 0 else pixels.shape[2]
    return pixels[..., :colors], pixels[..., colors:]


def to_8_bit_image(pixels: np.ndarray, profile: bytes | None) -> Image.Image:
    """(H, W, 1 to 4) uint16 as a picture of mode 'L', 'LA', 'RGB' or 'RGBA'."""
    image = Image.fromarray(to_8_bits(pixels[..., 0] if pixels.shape[2] == 1 else pixels))
    if profile is not None:
        image.info["icc_profile"] = profile
    return image


def reduce_to_8_bits(path: Path, image: Image.Image) -> Image.Image:
    """A picture that was no file."""
    if image.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion would clip it to white
        values = np.asarray(image, dtype=np.float64) / 257
        return copy_info(Image.fromarray(values.round().clip(0, 255).astype(np.uint8)), image)
    if image.mode == "F":
        raise PhotoError(f"{path}: {NO_WHITE}")
    return image


def decode(path: Path, least_side: int | None = None) -> Decoded:
    """A photo's upright first frame. least_side: of `decode_photo`. Raises PhotoError as `open_photo` does.

    EXIF that cannot be parsed is left out, with a line.
    """
    path = Path(path)
    try:
        with Image.open(path) as image:
            frames, depth = count_frames(image), get_depth(path, image)
            scale_transparency(image)
            damage = find_exif_damage(image)
            if least_side is not None:
                image.draft(None, (least_side, least_side))
            image.load()
            tags, orientation = Tags(), 1
            try:
                if damage is not None:
                    raise damage
                orientation = image.getexif().get(Base.Orientation, 1)  # Pillow has already turned a TIFF
                tags = read_photo_tags(path, image)
            except Exception as error:  # Pillow's EXIF parser raises SyntaxError, struct.error, TypeError and others
                warn_once(f"{path}: its EXIF is damaged and left out ({error})")
            if image.format in ("PNG", "HEIF", "AVIF"):
                image.info["icc_profile"] = find_stated_profile(path, image, depth)
            upright = turn_upright(image, orientation)
            metadata = read_metadata(path, image, tags, orientation, upright.size, frames)
            if depth is not None and depth.raw_mode == GREY_ALPHA:  # of which Pillow makes RGBA
                upright = upright.convert("LA")
            return Decoded(path, upright, metadata, depth, orientation)
    except (PhotoError, MemoryError):
        raise
    except FileNotFoundError:
        raise PhotoError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise PhotoError(f"{path}: a folder, not a picture") from None
    except Image.UnidentifiedImageError:
        raise PhotoError(f"{path}: {why_unidentified(Path(path))}") from None
    except Image.DecompressionBombError:
        limit = f"{2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6:g} megapixels"
        raise PhotoError(
            f"{path}: more than {limit}, which a small broken file can claim to have; if you trust it, predict "
            "--allow-huge opens it"
        ) from None
    except Exception as error:  # on broken data Pillow's decoders raise OSError, SyntaxError, struct.error and others
        raise PhotoError(f"{path}: broken ({error})") from None


def why_unidentified(path: Path) -> str:
    if path.stat().st_size == 0:
        return "the file is empty"
    if path.suffix.lower() in HEIF_SUFFIXES and not CAN_READ_HEIF:
        return f"HEIC photos need the package pillow-heif: {INSTALL_HEIF}"
    return "not a picture that Pillow can read"


def get_depth(path: Path, image: Image.Image) -> Depth | None:
    if image.mode == "F":
        raise PhotoError(f"{path}: {NO_WHITE}")
    try:
        return find_depth(image)
    except ValueError as error:
        raise PhotoError(f"{path}: {error}") from None


def find_exif_damage(image: Image.Image) -> Exception | None:
    """What Pillow's parser says of EXIF, before the pixels are loaded, which closes a TIFF."""
    try:
        image.getexif()
    except Exception as error:  # of many kinds
        return error
    return None


def scale_transparency(image: Image.Image) -> None:
    """Of a grey PNG of 2 or 4 bits, which Pillow scales to 8: the transparent value as well."""
    if image.format == "PNG" and image.mode == "L" and isinstance(image, ImageFile) and "transparency" in image.info:
        image.info["transparency"] *= {"L;2": 85, "L;4": 17}.get(get_raw_mode(image.tile[0].args), 1)


def find_stated_profile(path: Path, image: Image.Image, depth: Depth | None) -> bytes | None:
    """The photo's profile, or one that says what its file does in another way. Raises PhotoError for HDR."""
    profile = image.info.get("icc_profile")
    if image.format == "PNG":
        chunks = dict(read_chunks(path, NAMES))
    else:
        chunks = read_nclx(path, image) if profile is None else {}
    if hdr := name_hdr(chunks):
        raise PhotoError(f"{path}: HDR ({hdr}), whose white is brighter than a screen's: save it as SDR")
    is_grey = image.mode in ("1", "L", "LA", *GREYS) or (depth is not None and depth.raw_mode == GREY_ALPHA)
    try:
        return find_profile(chunks, profile, is_grey)
    except (ValueError, ZeroDivisionError, struct.error) as error:  # NumPy's LinAlgError is a ValueError
        warn_once(f"{path}: what it says of its colours is ignored ({error})")
        return profile
