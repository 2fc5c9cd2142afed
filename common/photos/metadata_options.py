"""Metadata in the form that each file format has for it, and what a format has no place for."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from PIL import Image
from PIL.ExifTags import TAGS
from PIL.PngImagePlugin import PngInfo

from common.photos.formats import JPEG_SUFFIXES, TIFF_SUFFIXES
from common.photos.metadata import PHOTOSHOP_START, SRGB, Metadata
from common.photos.photoshop import pack_resources
from common.photos.png_chunks import XMP_START, get_keyword, pack_text
from common.photos.renewal import renew, without
from common.photos.tag_table import IPTC, IPTC_RESOURCE, PHOTOSHOP, RESOLUTION_UNIT, RESOLUTION_X, RESOLUTION_Y, XMP
from common.photos.tags import BYTE, RATIONAL, SHORT, UNDEFINED, Directory, Tag, Tags, make_tag, to_bytes

MAX_SEGMENT = 65_533  # bytes in a JPEG's segment
XMP_SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"
KEPT_COMPRESSIONS = ("tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits")  # those of fax hold no grey


def save_options(metadata: Metadata, suffix: str, size: tuple[int, int]) -> tuple[dict[str, Any], list[str]]:
    """What `Image.save` is given to write it into a file with this ending, and what is left out, in words.

    size: (width, height) of the result. For a TIFF: the keyword arguments of `write_tiff`.
    """
    media = Image.MIME.get(Image.registered_extensions().get(suffix, ""), "")
    renewed, left_out = renew(metadata, size, media)
    if suffix in TIFF_SUFFIXES:
        options, lost = tiff_options(renewed)
    elif suffix in JPEG_SUFFIXES:
        options, lost = jpeg_options(renewed)
    else:
        options, lost = other_options(renewed, suffix)
    return options, left_out + lost


def tiff_options(metadata: Metadata) -> tuple[dict[str, Any], list[str]]:
    order, main = metadata.tags.order, dict(metadata.tags.main)
    resources = {number: content for number, content in metadata.resources.items() if number != IPTC_RESOURCE}
    iptc = metadata.resources.get(IPTC_RESOURCE)
    main.pop(PHOTOSHOP, None)
    if metadata.xmp:
        main[XMP] = Tag(BYTE, metadata.xmp)
    if iptc:
        main.setdefault(IPTC, Tag(UNDEFINED, iptc))
    if resources:
        main[PHOTOSHOP] = Tag(BYTE, pack_resources(metadata.resources))
    if metadata.dpi is not None and RESOLUTION_X not in main:
        for number, value in zip((RESOLUTION_X, RESOLUTION_Y), metadata.dpi, strict=True):
            main[number] = make_tag(order, RATIONAL, round(float(value) * 10_000), 10_000)
        main[RESOLUTION_UNIT] = make_tag(order, SHORT, 2)  # inches
    compression = metadata.compression if metadata.compression in KEPT_COMPRESSIONS else None
    lost = name_texts(metadata) + name_if(metadata.comments, "the comment") + name_if(metadata.xmp_extension, EXTENSION)
    return {"tags": replace(metadata.tags, main=main), "compression": compression}, lost


def jpeg_options(metadata: Metadata) -> tuple[dict[str, Any], list[str]]:
    exif, lost = fit_exif(replace(metadata.tags, main=without(metadata.tags.main)))
    segments = b"".join(pack_segment(0xFE, text) for text in metadata.comments if len(text) <= MAX_SEGMENT)
    lost += name_if([text for text in metadata.comments if len(text) > MAX_SEGMENT], "a comment of over 64 KB")
    xmp = XMP_SEGMENT + (metadata.xmp or b"")
    if len(xmp) > MAX_SEGMENT:
        lost.append("XMP of over 64 KB")
    elif metadata.xmp:
        segments += b"".join(pack_segment(0xE1, content) for content in (xmp, *metadata.xmp_extension))
    resources = pack_resources(metadata.resources)
    part = MAX_SEGMENT - len(PHOTOSHOP_START)
    for position in range(0, len(resources), part):
        segments += pack_segment(0xED, PHOTOSHOP_START + resources[position : position + part])
    return {"exif": exif, "extra": segments, **dpi_option(metadata)}, lost + name_texts(metadata)


def other_options(metadata: Metadata, suffix: str) -> tuple[dict[str, Any], list[str]]:
    """Of PNG, WebP and BMP."""
    options = dpi_option(metadata)
    exif = pack_exif(replace(metadata.tags, main=without(metadata.tags.main)))
    lost = name_if(metadata.resources, "IPTC") + name_if(metadata.xmp_extension, EXTENSION)
    if suffix == ".png":
        return options | {"exif": exif, "pnginfo": make_png_info(metadata)}, lost
    lost += name_texts(metadata) + name_if(metadata.comments, "the comment")
    if suffix == ".webp":
        return {"exif": exif, "xmp": metadata.xmp or b""}, lost
    return options, lost + name_if(exif, "EXIF") + name_if(metadata.xmp, "XMP")


EXTENSION = "what XMP has over 64 KB"


def make_png_info(metadata: Metadata) -> PngInfo:
    info = PngInfo()
    for name, content in metadata.chunks:
        info.add(name, content)
    if metadata.xmp:
        info.add(b"iTXt", XMP_START + bytes(4) + metadata.xmp)
    for text in metadata.comments:
        info.add(*pack_text(b"Comment", text))
    return info


def dpi_option(metadata: Metadata) -> dict[str, Any]:
    return {"dpi": tuple(float(value) for value in metadata.dpi)} if metadata.dpi is not None else {}


def fit_exif(tags: Tags) -> tuple[bytes, list[str]]:
    """EXIF as a JPEG's segment holds it. What does not fit is left out, the largest first, and named."""
    main, lost = tags.main, []
    while len(pack_exif(replace(tags, main=main))) > MAX_SEGMENT:
        size, path = max(list_sizes(main))
        lost.append(f"EXIF's {TAGS.get(path[-1], path[-1])} ({size:,} bytes)")
        main = drop_tag(main, path)
    if lost:
        lost = [f"{', '.join(lost)}, as a JPEG holds 64 KB of EXIF"]
    return pack_exif(replace(tags, main=main)), lost


def pack_exif(tags: Tags) -> bytes:
    """Empty if there is none."""
    return b"Exif\0\0" + to_bytes(tags) if tags.main else b""


def list_sizes(directory: Directory, path: tuple[int, ...] = ()) -> Iterable[tuple[int, tuple[int, ...]]]:
    """(bytes, the way to it) of every tag."""
    for number, tag in directory.items():
        if isinstance(tag, dict):
            yield from list_sizes(tag, (*path, number))
        else:
            yield len(tag.data), (*path, number)


def drop_tag(directory: Directory, path: tuple[int, ...]) -> Directory:
    first, *rest = path
    inner = directory[first]
    if rest and isinstance(inner, dict):
        return directory | {first: drop_tag(inner, tuple(rest))}
    return {number: tag for number, tag in directory.items() if number != first}


def pack_segment(marker: int, content: bytes) -> bytes:
    """Of a JPEG."""
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


def name_texts(metadata: Metadata) -> list[str]:
    """PNG's texts, for a format that has none."""
    keys = dict.fromkeys(get_keyword(content) for name, content in metadata.chunks if name != SRGB)
    return [f"PNG's texts ({', '.join(keys)})"] if keys else []


def name_if(there: Any, name: str) -> list[str]:
    return [name] if there else []
