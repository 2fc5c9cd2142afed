"""XMP of a result: what it says of the pixels is renewed, and every other byte is as it was."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from common.photos.tag_table import PANORAMA, XMP_BEHIND, XMP_DROPPED, XMP_OF_COLORS, XMP_REGIONS, XMP_SIZES


def renew_xmp(xmp: bytes, old: tuple[int, int], new: tuple[int, int], media: str, is_converted: bool) -> bytes:
    """XMP for an upright result. old, new: (width, height) of the upright photo and of the result.

    media: the result's type, as 'image/png'. is_converted: its colours are sRGB's, and the photo's were not.
    """
    values: dict[str, Any] = {"tiff:Orientation": 1, "dc:format": media}
    values |= {name: new[side] for name, side in XMP_SIZES.items()}
    xmp = set_values(xmp, values)
    for name, side in PANORAMA.items():
        xmp = set_values(xmp, {name: lambda value, side=side: round(int(value) * new[side] / old[side])})
    return drop_values(xmp, XMP_DROPPED + (XMP_OF_COLORS if is_converted else ()))


def drop_untrue(xmp: bytes, is_turned: bool) -> tuple[bytes, list[str]]:
    """XMP without what is not true of a result, and what that was, in words."""
    lost = []
    for names, what in (
        (XMP_BEHIND, "the HDR gain map or the short video of a phone's photo"),
        ((XMP_REGIONS,) if is_turned else (), "the places of faces, as the photo is turned"),
    ):
        kept = drop_values(xmp, names)
        lost += [what] if kept != xmp else []
        xmp = kept
    return xmp, lost


def set_values(xmp: bytes, values: Mapping[str, Any]) -> bytes:
    """XMP with other values of properties that it has, as attributes or elements. A function is given the old one."""
    for name, value in values.items():
        pattern = rf"""(?<![\w:/])({name}(?:\s*=\s*["']|>))([^"'<>]*)(?=["']|</{name})""".encode()

        def replace(found: re.Match[bytes], value: Any = value) -> bytes:
            try:
                return found[1] + str(value(found[2].strip()) if callable(value) else value).encode()
            except ValueError:  # no number
                return found[0]

        xmp = re.sub(pattern, replace, xmp)
    return xmp


def drop_values(xmp: bytes, names: Iterable[str]) -> bytes:
    """XMP without these properties, of any structure. In time that grows with its length, whatever is in it."""
    for name in names:
        xmp = re.sub(rf"""(?<![\w:]){name}\s*=\s*("[^"]*"|'[^']*')""".encode(), b"", xmp)
        opening, closing, kept, position = re.compile(rf"<{name}(?=[\s/>])".encode()), f"</{name}>".encode(), [], 0
        while found := opening.search(xmp, position):
            tag_end = xmp.find(b">", found.end())
            end = tag_end + 1 if xmp[tag_end - 1 : tag_end] == b"/" else xmp.find(closing, tag_end) + len(closing)
            if tag_end < 0 or end < tag_end:
                break
            kept.append(xmp[position : found.start()])
            position = end
        xmp = b"".join([*kept, xmp[position:]])
    return xmp
