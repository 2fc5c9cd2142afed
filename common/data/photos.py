"""Opening and saving photos of every kind that Pillow knows, upright, in 8 bits, with what belongs to them."""

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image
from PIL.ExifTags import Base
from PIL.Image import Transpose
from scipy.ndimage import distance_transform_edt

from common.data.color_profiles import (
    GREY_MODES,
    SRGB_PROFILE,
    drop_alpha,
    fits_result,
    get_transform,
    to_srgb,
    warn_once,
)
from common.data.formats import CAN_READ_HEIF, HEIF_SUFFIXES, INSTALL_HEIF, JPEG_SUFFIXES
from common.data.metadata import Metadata, count_frames, read_exif, read_metadata, save_options
from common.data.pixels import to_8_bits
from common.data.sixteen_bits import SUFFIXES as SUFFIXES_16_BITS
from common.data.sixteen_bits import has_16_bits, open_low_bytes, write_16_bits
from common.runtime.errors import UserError

log = logging.getLogger(__name__)

# Pillow refuses twice as many: 500 megapixels, which are 1.5 GB. Phones take 200.
Image.MAX_IMAGE_PIXELS = 250_000_000
warnings.simplefilter("ignore", Image.DecompressionBombWarning)


def allow_huge_photos() -> None:
    """From now on photos have as many pixels as memory holds."""
    Image.MAX_IMAGE_PIXELS = None


if CAN_READ_HEIF:
    import pillow_heif

    pillow_heif.register_heif_opener()

ORIENTATIONS = {  # EXIF's: how to turn a picture upright
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


class PhotoError(UserError):
    """One photo that cannot be used; the message starts with its path."""


def open_photo(path: Path) -> Image.Image:
    """An upright `PIL.Image` in RGB, with sRGB's colours, of any photo; transparency is put on white.

    Raises PhotoError if the file is missing, not a picture, truncated or of an unknown kind.
    """
    return flatten_to_rgb(path, decode_photo(path))


def decode_photo(path: Path, least_side: int | None = None) -> Image.Image:
    """The upright first frame, with its own mode (16-bit modes reduced to 'L') and colours.

    least_side: a JPEG is decoded 2, 4 or 8 times smaller, in a fraction of the time, if its sides stay that long.
    """
    image, _ = decode_with_metadata(path, least_side)
    return reduce_to_8_bits(path, image)


def decode_with_metadata(path: Path, least_side: int | None = None) -> tuple[Image.Image, Metadata]:
    """The same, grey with all its bits, and what else the file says about the photo.

    EXIF that cannot be parsed is left out, with a line.
    """
    try:
        with Image.open(path) as image:
            frames, orientation, deep = count_frames(image), 1, has_16_bits(image)
            try:
                exif = read_exif(image)
            except Exception as error:  # Pillow's EXIF parser raises SyntaxError, struct.error, TypeError and others
                warn_once(f"{path}: its EXIF is damaged and left out ({error})")
                exif = b""
            if least_side is not None:
                image.draft(None, (least_side, least_side))
            image.load()
            if exif:
                orientation = image.getexif().get(Base.Orientation, 1)  # Pillow has already turned a TIFF
            metadata = read_metadata(image, exif, orientation, frames, deep)
            return turn_upright(image, orientation), metadata
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


def turn_upright(image: Image.Image, orientation: int) -> Image.Image:
    """The picture turned as EXIF's orientation says, 1 to 8; other numbers count as upright."""
    method = ORIENTATIONS.get(orientation)
    return image if method is None else copy_info(image.transpose(method), image)


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


def flatten_to_rgb(path: Path, image: Image.Image) -> Image.Image:
    rgb = to_srgb(path, image)
    if image.has_transparency_data:
        return put_on_white(rgb, image.convert("RGBA").getchannel("A"))
    return rgb


def put_on_white(image: Image.Image, alpha: Image.Image) -> Image.Image:
    white = Image.new(image.mode, image.size, "white")
    white.paste(image, mask=alpha)
    return white


def fill_transparent(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colours of (H, W, 3) where alpha (H, W) is 0, taken from the nearest pixel that shows: else, enlarging a cut-out,
    what is hidden there would mix into its rim."""
    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return rgb
    nearest = cast(np.ndarray, distance_transform_edt(hidden, return_distances=False, return_indices=True))
    return rgb[nearest[0], nearest[1]]


def open_photo_for_crops(path: Path, min_side: int, least_side: int | None = None) -> Image.Image:
    """`open_photo`, and PhotoError for a photo with a side below `min_side` pixels. least_side: of `decode_photo`."""
    image = flatten_to_rgb(path, decode_photo(path, least_side))
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

    rgb: np.ndarray  # (H, W, 3) uint8 or uint16, in the colours of the profile; without one, in sRGB
    alpha: Image.Image | None  # mode 'L', the same size
    is_grey: bool
    icc_profile: bytes | None
    metadata: Metadata


def read_photo(path: Path) -> Photo:
    """A Photo, with its alpha channel, colour profile and metadata. Raises PhotoError as `open_photo` does.

    Its numbers stay as they are, 16 bits included, in the colours of its profile. Where these are not those of the
    result (CMYK, Lab, RGB for a grey photo), or the profile is broken, they become sRGB's. Of several frames or pages
    the first is taken.
    """
    original, metadata = decode_with_metadata(path)
    image = reduce_to_8_bits(path, original)
    if metadata.frames > 1:
        log.warning("%s: only the first of its %d frames or pages is used", path, metadata.frames)
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    is_grey = image.mode in GREY_MODES
    profile = image.info.get("icc_profile")
    keeps_profile = profile is not None and fits_result(profile, image.mode)
    rgb = np.asarray(drop_alpha(image) if keeps_profile else to_srgb(path, image))
    if keeps_profile or profile is None:
        rgb = read_all_bits(path, original, metadata, rgb)
    if alpha is not None:
        rgb = fill_transparent(rgb, np.asarray(alpha))
    return Photo(rgb, alpha, is_grey, profile if keeps_profile else None, metadata)


def read_all_bits(path: Path, image: Image.Image, metadata: Metadata, rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint16 of a photo that has 16 bits, and otherwise `rgb`. image: as decoded."""
    if image.mode.startswith("I;16"):
        return np.repeat(np.asarray(image).astype(np.uint16)[..., None], 3, axis=2)
    if not metadata.has_16_bits:
        return rgb
    try:
        low = np.asarray(turn_upright(open_low_bytes(path), metadata.orientation))
    except Exception as error:  # Pillow's decoders raise errors of many kinds
        log.warning("%s: only 8 of its 16 bits are used (%s)", path, " ".join(str(error).split()))
        return rgb
    return np.asarray(image)[..., :3].astype(np.uint16) * 256 + low[..., :3]


def to_srgb_photo(photo: Photo) -> Photo:
    """The Photo as RGB in sRGB, for a network that knows what colours mean. A grey one's result is saved in RGB."""
    if photo.icc_profile is None:
        return replace(photo, is_grey=False)
    if not photo.is_grey and get_transform(photo.icc_profile, "RGB") is None:  # sRGB's own
        return photo
    if photo.rgb.dtype == np.uint16:
        log.warning("a photo of 16 bits becomes one of 8, as its colours are converted from its profile to sRGB")
        photo = replace(photo, rgb=to_8_bits(photo.rgb))
    pixels = np.ascontiguousarray(photo.rgb[..., 0]) if photo.is_grey else photo.rgb
    image = Image.fromarray(pixels)
    image.info["icc_profile"] = photo.icc_profile
    rgb = np.asarray(to_srgb(Path(), image))
    return replace(photo, rgb=rgb, is_grey=False, icc_profile=SRGB_PROFILE)


def to_picture(rgb: np.ndarray, like: Photo) -> Image.Image:
    """(H, W, 3) pixels as a PIL image of 8 bits, grey if the Photo `like` is, with its alpha and profile."""
    image = Image.fromarray(to_8_bits(rgb))
    if like.is_grey:
        image = image.convert("L")
    if like.alpha is not None:
        image.putalpha(like.alpha.resize(image.size, Image.Resampling.BICUBIC))
    if like.icc_profile is not None:
        image.info["icc_profile"] = like.icc_profile
    return image


def picture_to_photo(picture: Image.Image | np.ndarray) -> Photo:
    """A Photo of a PIL image, or of an array (H, W), (H, W, 3) or (H, W, 4) of 8 or 16 bits: in sRGB, on white."""
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(to_8_bits(picture) if picture.dtype == np.uint16 else picture)
    name = Path("the picture")
    return Photo(np.asarray(flatten_to_rgb(name, reduce_to_8_bits(name, picture))), None, False, None, Metadata())


def write_photo(path: Path, rgb: np.ndarray, like: Photo, quality: int | None = None, name: Path | None = None) -> None:
    """Saves (H, W, 3) pixels as `path`'s ending says, with the alpha, profile and metadata of the Photo `like`.

    uint16 pixels are saved with 16 bits where the format has them: in PNG and TIFF.

    A grey photo is saved grey. JPEG without chroma subsampling, and on white, as it has no alpha. quality: of JPEG and
    WebP, 1 to 100; None is 95, and lossless for WebP unless the photo is a lossy WebP.
    name: of the file in messages, if `path` is a temporary one. Raises PhotoError if the picture cannot be saved so.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES_16_BITS:
        rgb = to_8_bits(rgb)
    image = to_picture(rgb, like)
    if image.mode.endswith("A") and suffix in JPEG_SUFFIXES:
        image = put_on_white(image.convert(image.mode[:-1]), image.getchannel("A"))
    options = save_options(like.metadata, suffix, image.size)
    if suffix in JPEG_SUFFIXES:
        options |= {"quality": quality or 95, "subsampling": 0}
    if suffix == ".webp":
        lossy = quality is not None or like.metadata.is_lossy_webp
        options |= {"quality": quality or 95} if lossy else {"lossless": True}
    if like.icc_profile is not None:
        options["icc_profile"] = like.icc_profile
    try:
        if rgb.dtype == np.uint8:
            image.save(path, **options)
        elif image.mode == "L":
            Image.fromarray(np.ascontiguousarray(rgb[..., 0])).save(path, **options)
        else:
            opacity = [257 * np.asarray(image.getchannel("A"), dtype=np.uint16)] if image.mode.endswith("A") else []
            write_16_bits(path, np.dstack([rgb, *opacity]), options)
    except (OSError, ValueError, KeyError) as error:
        raise PhotoError(
            f"{name or path}: a {image.width} x {image.height} {image.mode} picture cannot be saved: {error}"
        ) from error
