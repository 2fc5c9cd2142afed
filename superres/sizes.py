"""Any size of a result: how large it is to be."""

from collections.abc import Mapping
from typing import Any

from common.photos.open import PhotoError
from common.runtime.errors import UserError

SIZES = ("scale", "width", "height", "longest", "megapixels")  # of which one is given


def check_sizes(options: Mapping[str, Any]) -> None:
    """Raises UserError if there are several sizes."""
    given = [name for name in SIZES if options.get(name) is not None]
    if len(given) > 1:
        raise UserError(
            f"{' and '.join(f'--{name}' for name in given)}: give one; the other side follows from the photo"
        )


def wanted_size(
    photo_height: int,
    photo_width: int,
    scale: float | None = None,
    width: int | None = None,
    height: int | None = None,
    longest: int | None = None,
    megapixels: float | None = None,
) -> tuple[int, int] | None:
    """(height, width) of the result, whose sides are to each other as the photo's; None if no size is given."""
    check_sizes({"scale": scale, "width": width, "height": height, "longest": longest, "megapixels": megapixels})
    if width is not None:
        scale = width / photo_width
    elif height is not None:
        scale = height / photo_height
    elif longest is not None:
        scale = longest / max(photo_height, photo_width)
    elif megapixels is not None:
        scale = (1e6 * megapixels / (photo_height * photo_width)) ** 0.5
    if scale is None:
        return None
    size = max(1, round(scale * photo_height)), max(1, round(scale * photo_width))
    return height or size[0], width or size[1]


def size_by(options: Mapping[str, Any], photo_height: int, photo_width: int) -> tuple[int, int] | None:
    """`wanted_size` as options say, among which are others."""
    return wanted_size(photo_height, photo_width, **{name: options.get(name) for name in SIZES})


def passes_needed(photo: tuple[int, int], size: tuple[int, int], scale: int) -> int:
    """How many times a photo of (height, width) goes through a model: once, or twice.

    Raises PhotoError if twice is not enough.
    """
    factor = max(size[0] / photo[0], size[1] / photo[1])
    if factor <= scale:
        return 1
    if scale > 1 and factor <= scale**2:
        return 2
    limit = f"twice through a {scale}x model make {scale**2}x" if scale > 1 else "this model enlarges nothing"
    raise PhotoError(f"{photo[1]} x {photo[0]} px to {size[1]} x {size[0]} is {factor:.3g} times as large, and {limit}")
