"""Colour profiles (ICC): what the numbers of a photo mean, in sRGB, which networks, losses and metrics work in."""

import struct
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image, ImageCms
from PIL.ImageCms import Flags, ImageCmsProfile, ImageCmsTransform, Intent

from common.photos.matrix_profile import convert_16_bits
from common.runtime.messages import warn_once

SRGB = ImageCms.createProfile("sRGB")
SRGB_PROFILE = ImageCmsProfile(SRGB).tobytes()
# With a fixed date in place of today's, so that a result is the same file every day.
SRGB_PROFILE = SRGB_PROFILE[:24] + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + SRGB_PROFILE[36:]
GREY_MODES = ("1", "L", "LA")
MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}  # ICC's colour space: Pillow's mode for its numbers


def to_srgb(path: Path, image: Image.Image) -> Image.Image:
    """The picture in mode RGB with its colours in sRGB, relative colorimetric; transparency is left out.

    Without a profile its numbers count as sRGB's. So they do with one that is broken or for another colour space, and
    a line says so. path: of the photo, for that line.
    """
    profile = image.info.get("icc_profile")
    if not profile:
        return drop_alpha(image)
    try:
        transform = get_transform(profile, image.mode)
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        warn_once(f"{path}: its colour profile is ignored, and its values are taken as sRGB ({error})")
        return drop_alpha(image)
    if transform is None:
        return drop_alpha(image)
    mode = MODES[color_space(profile)]
    if mode == "L" and (rgb := grey_to_srgb(image, profile)) is not None:
        return rgb
    numbers = drop_alpha(image) if mode == "RGB" else image.convert(mode)
    return cast(Image.Image, ImageCms.applyTransform(numbers, transform))  # None only if it is done in place


def grey_to_srgb(image: Image.Image, profile: bytes) -> Image.Image | None:
    """The same of grey, if the profile is a curve, which littlecms applies with up to 10 of 255 too much in shadows."""
    values = (257 * np.arange(256)).astype(np.uint16).reshape(1, 256, 1)
    tones = convert_16_bits(values, profile)
    if tones is None:
        return None
    grey = drop_alpha(image).getchannel("R").point((tones[0, :, 0] / 257).round().astype(int).tolist())
    return Image.merge("RGB", [grey] * 3)


def drop_alpha(image: Image.Image) -> Image.Image:
    """In mode RGB. By way of RGBA, because a palette may be transparent."""
    return (image.convert("RGBA") if image.has_transparency_data else image).convert("RGB")


@lru_cache(maxsize=16)
def get_transform(profile: bytes, mode: str) -> ImageCmsTransform | None:
    """From a profile to sRGB, for pictures of Pillow's `mode`. None if it changes nothing: it is sRGB's own.

    Raises ValueError, OSError or PyCMSError if the profile is broken or does not fit the mode.
    """
    source, space = ImageCmsProfile(BytesIO(profile)), color_space(profile)
    fitting = {"GRAY": mode in GREY_MODES, "CMYK": mode == "CMYK", "Lab": mode == "LAB"}
    if not fitting.get(space, space == "RGB" and mode not in ("CMYK", "LAB")):
        raise ValueError(f"it is for {space} pictures, this one is {mode}")
    flags = Flags.BLACKPOINTCOMPENSATION | Flags.NOCACHE  # its cache of one pixel is not for several threads
    transform = ImageCms.buildTransform(source, SRGB, MODES[space], "RGB", Intent.RELATIVE_COLORIMETRIC, flags)
    if space == "RGB":
        steps = np.linspace(0, 255, 9).round().astype(np.uint8)
        patches = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(81, 9, 3)
        converted = np.asarray(ImageCms.applyTransform(Image.fromarray(patches), transform))
        if abs(converted.astype(int) - patches).max() <= 2:  # several versions of sRGB are in use
            return None
    return transform


def is_srgb(profile: bytes | None, mode: str) -> bool:
    """Whether numbers in Pillow's `mode` count as sRGB's: those without a profile, and with a broken one, too."""
    try:
        return not profile or get_transform(profile, mode) is None
    except (ImageCms.PyCMSError, OSError, ValueError):
        return True


def fits_result(profile: bytes, mode: str) -> bool:
    """Whether a picture of Pillow's `mode` may keep the profile, saved as grey or RGB with its numbers as they are."""
    try:
        get_transform(profile, mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return False
    return color_space(profile) == ("GRAY" if mode in GREY_MODES else "RGB")


def color_space(profile: bytes) -> str:
    """'RGB', 'GRAY', 'CMYK', 'Lab' or another of ICC's names."""
    return profile[16:20].decode("latin-1").strip()
