"""Photos that are enhanced whole: upright pixels, and what must come back with them."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image

from common.photos.flat import flatten_to_rgb
from common.photos.matrix_profile import convert_16_bits
from common.photos.metadata import Metadata
from common.photos.open import decode, reduce_to_8_bits, split_alpha, to_8_bit_image
from common.photos.pixels import to_8_bits
from common.photos.profiles import GREY_MODES, SRGB_PROFILE, drop_alpha, fits_result, get_transform, is_srgb, to_srgb

log = logging.getLogger(__name__)


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
    decoded = decode(path)
    metadata, profile, pixels = decoded.metadata, decoded.profile, decoded.read_all_bits()
    if metadata.frames > 1:
        log.warning("%s: only the first of its %d frames or pages is used", path, metadata.frames)
    image = decoded.image if pixels is None else to_8_bit_image(pixels, profile)
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    is_grey = image.mode in GREY_MODES
    keeps_profile = profile is not None and fits_result(profile, image.mode)
    rgb = read_colors(path, image, pixels, keeps_profile)
    if alpha is not None:
        rgb = fill_transparent(rgb, np.asarray(alpha))
    metadata = replace(metadata, is_converted=profile is not None and not keeps_profile)
    return Photo(rgb, alpha, is_grey, profile if keeps_profile else None, metadata)


def read_colors(path: Path, image: Image.Image, pixels: np.ndarray | None, keeps_profile: bool) -> np.ndarray:
    """(H, W, 3) in the colours of the photo's profile if it keeps that, else in sRGB's. pixels: of 16 bits, if it has.

    Those stay 16 bits, unless the profile is one that only 8 can be converted from: then a line says so.
    """
    profile = image.info.get("icc_profile")
    if pixels is not None:
        colors, _ = split_alpha(pixels)
        colors = np.ascontiguousarray(np.broadcast_to(colors, (*colors.shape[:2], 3)))
        if keeps_profile or not profile:
            return colors
        if is_srgb(profile, image.mode):
            to_srgb(path, image.crop((0, 0, 1, 1)))  # which says of a broken profile that it is ignored
            return colors
        if (converted := convert_16_bits(colors, profile)) is not None:
            return converted
        log.warning("%s: 8 of its 16 bits are left, as its colours are converted from its profile to sRGB", path)
    return np.asarray(drop_alpha(image) if keeps_profile else to_srgb(path, image))


def fill_transparent(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colours of (H, W, 3) where alpha (H, W) is 0, taken from the nearest pixel that shows: else, enlarging a cut-out,
    what is hidden there would mix into its rim."""
    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return rgb
    from scipy.ndimage import distance_transform_edt  # it takes half a second to import

    nearest = cast(np.ndarray, distance_transform_edt(hidden, return_distances=False, return_indices=True))
    return rgb[nearest[0], nearest[1]]


def to_srgb_photo(photo: Photo) -> Photo:
    """The Photo as RGB in sRGB, for a network that knows what colours mean. A grey one's result is saved in RGB."""
    if photo.icc_profile is None:
        return replace(photo, is_grey=False)
    if not photo.is_grey and get_transform(photo.icc_profile, "RGB") is None:  # sRGB's own
        return photo
    numbers = np.ascontiguousarray(photo.rgb[..., :1]) if photo.is_grey else photo.rgb
    rgb = convert_16_bits(numbers, photo.icc_profile) if numbers.dtype == np.uint16 else None
    if rgb is None:
        if numbers.dtype == np.uint16:
            log.warning("a photo of 16 bits becomes one of 8, as its colours are converted from its profile to sRGB")
        image = Image.fromarray(to_8_bits(numbers).squeeze(axis=2) if photo.is_grey else to_8_bits(numbers))
        image.info["icc_profile"] = photo.icc_profile
        rgb = np.asarray(to_srgb(Path(), image))
    metadata = replace(photo.metadata, is_converted=True)
    return replace(photo, rgb=rgb, is_grey=False, icc_profile=SRGB_PROFILE, metadata=metadata)


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
