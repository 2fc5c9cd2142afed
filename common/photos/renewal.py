"""What is said of the pixels, renewed for a result: `tag_table` sorts it."""

from collections.abc import Callable
from dataclasses import replace
from math import gcd

from common.photos.metadata import Metadata
from common.photos.tag_table import (
    COLOR_SPACE,
    COMPRESSED_BITS,
    DROPPED,
    ELSEWHERE,
    FOCAL_PLANE_X,
    FOCAL_PLANE_Y,
    IPTC_RESOURCE,
    KEPT_RESOURCES,
    MAP,
    ORIENTATION,
    PATHS,
    PIXELS_HIGH,
    PIXELS_WIDE,
    PRIMARIES,
    STORAGE,
    SUBJECT_AREA,
    SUBJECT_LOCATION,
    WHITE_POINT,
)
from common.photos.tags import EXIF, INTEROP, LONG, RATIONAL, SHORT, Directory, Tag, get_numbers, make_tag
from common.photos.xmp import drop_untrue, renew_xmp

Point = Callable[[float, float], tuple[float, float]]


def renew(metadata: Metadata, size: tuple[int, int], media: str) -> tuple[Metadata, list[str]]:
    """Metadata for a result of `size`, and what is left out of it, in words. media: its type, as 'image/png'."""
    left_out = dict.fromkeys(DROPPED[number] for number in sorted(metadata.tags.left_out & DROPPED.keys()))
    if damaged := metadata.tags.left_out - DROPPED.keys() - STORAGE:
        left_out[f"damaged tags ({', '.join(map(str, sorted(damaged)))})"] = None
    main = {number: tag for number, tag in metadata.tags.main.items() if number not in STORAGE}
    if size != metadata.size or metadata.orientation != 1:
        left_out |= dict.fromkeys(name for number, name in MAP.items() if number in main)
        main = {number: tag for number, tag in main.items() if number not in MAP}
    if metadata.is_converted:
        main = {number: tag for number, tag in main.items() if number not in (WHITE_POINT, PRIMARIES)}
    details = main.get(EXIF)
    if isinstance(details, dict):
        main[EXIF] = renew_details(details, metadata, size)
    xmp = metadata.xmp
    if xmp is not None and metadata.size != (0, 0):
        xmp = renew_xmp(xmp, metadata.size, size, media, metadata.is_converted)
        xmp, lost = drop_untrue(xmp, metadata.orientation != 1)
        left_out |= dict.fromkeys(lost)
    resources = {number: content for number, content in metadata.resources.items() if is_kept(number, metadata)}
    if any(number in PATHS and number not in resources for number in metadata.resources):
        left_out["Photoshop's paths"] = None
    return replace(metadata, tags=replace(metadata.tags, main=main), xmp=xmp, resources=resources), list(left_out)


def without(main: Directory) -> Directory:
    """The directory without what other formats than TIFF have elsewhere."""
    return {number: tag for number, tag in main.items() if number not in ELSEWHERE}


def is_kept(resource: int, metadata: Metadata) -> bool:
    is_true_path = resource in PATHS and metadata.orientation == 1
    return resource == IPTC_RESOURCE or resource in KEPT_RESOURCES or is_true_path


def renew_details(details: Directory, metadata: Metadata, size: tuple[int, int]) -> Directory:
    """EXIF's own directory."""
    order, (old_width, old_height) = metadata.tags.order, metadata.size
    details = {number: tag for number, tag in details.items() if number not in (COMPRESSED_BITS, ORIENTATION)}

    def move(x: float, y: float) -> tuple[float, float]:
        """A place in the photo as it lies in the file -> in the result."""
        across, down = x / old_width, y / old_height
        if metadata.orientation >= 5:
            across, down = y / old_width, x / old_height
        across = 1 - across if metadata.orientation in (2, 3, 6, 7) else across
        down = 1 - down if metadata.orientation in (3, 4, 7, 8) else down
        return across * size[0], down * size[1]

    renewed: dict[int, Tag | None] = {}
    for number, side in ((PIXELS_WIDE, size[0]), (PIXELS_HIGH, size[1])):
        old = details.get(number)
        kind = old.kind if isinstance(old, Tag) and old.kind == SHORT and side < 65_536 else LONG
        renewed[number] = make_tag(order, kind, side)
    if metadata.is_converted:
        renewed[COLOR_SPACE] = make_tag(order, SHORT, 1)  # sRGB
        renewed[INTEROP] = None  # which may name Adobe RGB
    if old_width:
        for number in (SUBJECT_AREA, SUBJECT_LOCATION):
            renewed[number] = renew_place(order, get_numbers(order, details.get(number)), move, metadata, size)
        for number, new, old in ((FOCAL_PLANE_X, size[0], old_width), (FOCAL_PLANE_Y, size[1], old_height)):
            renewed[number] = renew_density(order, get_numbers(order, details.get(number)), new, old)
    for number, tag in renewed.items():
        if number in details:
            details.pop(number)
            if tag is not None:
                details[number] = tag
    return details


def renew_place(
    order: str, numbers: tuple[int, ...], move: Point, metadata: Metadata, size: tuple[int, int]
) -> Tag | None:
    """A centre, and the diameter of a circle or the width and height of a rectangle around it."""
    if not 2 <= len(numbers) <= 4:
        return None
    x, y = move(numbers[0], numbers[1])
    sides = numbers[2:][::-1] if metadata.orientation >= 5 else numbers[2:]
    factors = (size[0] / metadata.size[0], size[1] / metadata.size[1])
    values = [round(value) for value in (x, y, *(side * part for side, part in zip(sides, factors, strict=False)))]
    return make_tag(order, SHORT, *values) if max(values) < 65_536 and min(values) >= 0 else None


def renew_density(order: str, numbers: tuple[int, ...], new: int, old: int) -> Tag | None:
    """Pixels in a unit of length, as a fraction."""
    if len(numbers) != 2 or numbers[1] == 0:
        return None
    above, below = numbers[0] * new, numbers[1] * old
    common = gcd(above, below)
    above, below = above // common, below // common
    return make_tag(order, RATIONAL, above, below) if max(above, below) < 2**32 else None
