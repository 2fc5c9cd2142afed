"""What a photo's file says about it besides its pixels: EXIF, resolution, texts, XMP and IPTC, to come back with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, cast

from PIL import Image
from PIL.WebPImagePlugin import WebPImageFile

from common.photos.photoshop import unpack_resources
from common.photos.png_chunks import TEXTS, get_keyword, is_xmp, read_chunks
from common.photos.tag_table import DROPPED, IPTC, IPTC_RESOURCE, ORIENTATION, PHOTOSHOP, RESOLUTION_X, STORAGE, XMP
from common.photos.tags import Tag, Tags, get_numbers, read_tags

PHOTOSHOP_START = b"Photoshop 3.0\0"  # of a JPEG's APP13
XMP_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"  # of a JPEG's APP1, for XMP of more than 64 KB
RAW_PROFILE = "Raw profile type "  # ImageMagick's texts in a PNG, of what has its own chunk
SRGB = b"sRGB"  # a PNG's chunk; the others about colours become a profile, or mean the same


@dataclass(frozen=True)
class Metadata:
    """Of one photo, whose pixels are turned upright when they are read."""

    tags: Tags = field(default_factory=Tags)  # of EXIF, or of a TIFF
    dpi: tuple[float, float] | None = None
    chunks: tuple[tuple[bytes, bytes], ...] = ()  # PNG: texts and sRGB
    xmp: bytes | None = None
    xmp_extension: tuple[bytes, ...] = ()  # JPEG
    resources: Mapping[int, bytes] = field(default_factory=dict)  # Photoshop's: JPEG, TIFF
    comments: tuple[bytes, ...] = ()  # JPEG, GIF
    size: tuple[int, int] = (0, 0)  # (width, height), upright
    orientation: int = 1  # EXIF's, of the file
    frames: int = 1
    compression: str | None = None  # TIFF
    is_lossy_webp: bool = False
    is_converted: bool = False  # its colours have become sRGB's


def count_frames(image: Image.Image) -> int:
    """Of an opened file, before its pixels are loaded. Those of MPO are not for looking at, and do not count."""
    return getattr(image, "n_frames", 1) if image.format != "MPO" else 1


def read_metadata(
    path: Path, image: Image.Image, tags: Tags, orientation: int, size: tuple[int, int], frames: int
) -> Metadata:
    """Of a file whose pixels are loaded: PNG may have texts behind them. size: (width, height), upright.

    orientation: by which it was turned, where its tags do not say it.
    """
    said = get_numbers(tags.order, tags.main.get(ORIENTATION))
    chunks = read_chunks(path, (*TEXTS, SRGB)) if image.format == "PNG" else []
    xmp = image.info.get("xmp") or get_bytes(tags, XMP)
    segments = getattr(image, "applist", ())
    photoshop = b"".join(
        content.removeprefix(PHOTOSHOP_START) for name, content in segments
        if name == "APP13" and content.startswith(PHOTOSHOP_START)
    )  # fmt: skip
    resources = unpack_resources(photoshop or get_bytes(tags, PHOTOSHOP))
    if iptc := get_bytes(tags, IPTC):
        resources = {IPTC_RESOURCE: iptc} | resources
    comments = [content for name, content in segments if name == "COM"] or [image.info.get("comment", b"")]
    return Metadata(
        tags=tags,
        dpi=find_dpi(image, tags),
        chunks=tuple(chunk for chunk in chunks if is_kept(*chunk)),
        xmp=xmp if isinstance(xmp, bytes) else None,
        xmp_extension=tuple(content for _, content in segments if content.startswith(XMP_EXTENSION)),
        resources=resources,
        comments=tuple(text.encode() if isinstance(text, str) else text for text in comments if text),
        size=size,
        orientation=image.info.get("original_orientation") or (*said, orientation)[0],  # the first: of HEIF
        frames=frames,
        compression=image.info.get("compression") if image.format == "TIFF" else None,
        is_lossy_webp=image.format == "WEBP" and is_lossy(image),
    )


def read_photo_tags(path: Path, image: Image.Image) -> Tags:
    """EXIF of an opened file, or a TIFF's tags. Raises ValueError if they are damaged."""
    if image.format == "TIFF":
        with path.open("rb") as file:
            return read_tags(file, not_wanted=(STORAGE | DROPPED.keys()) - {ORIENTATION})
    block = image.info.get("exif") or b""  # None of a HEIC without
    if image.format == "AVIF":  # whose EXIF Pillow encodes again, to add the orientation that AVIF has elsewhere
        block = cast(Any, image)._decoder.get_info()[4] or b""
    if not block and (text := image.info.get(f"{RAW_PROFILE}exif")):
        block = bytes.fromhex("".join(text.split("\n")[3:]))
    while block.startswith(b"Exif\0\0"):
        block = block[6:]
    return read_tags(BytesIO(block), not_wanted=DROPPED) if block else Tags()


def find_dpi(image: Image.Image, tags: Tags) -> tuple[float, float] | None:
    """What the file says. Pillow says (1, 1) of a TIFF without, and 72 of a JPEG with EXIF that has none."""
    is_invented = image.format in ("JPEG", "MPO") and RESOLUTION_X not in tags.main and not image.info.get("jfif_unit")
    dpi = image.info.get("dpi")
    return None if dpi == (1, 1) or is_invented else dpi


def get_bytes(tags: Tags, number: int) -> bytes:
    tag = tags.main.get(number)
    return tag.data if isinstance(tag, Tag) else b""


def is_kept(name: bytes, content: bytes) -> bool:
    """Whether a PNG's chunk comes back as it is. XMP is renewed; EXIF and profiles have chunks of their own."""
    profiles = [RAW_PROFILE + kind for kind in ("exif", "APP1", "app1", "icc", "icm")]
    return name == SRGB or (not is_xmp(name, content) and get_keyword(content) not in profiles)


def is_lossy(webp: Image.Image) -> bool:
    """Whether a WebP file's first frame is in its lossy format."""
    data = Path(str(webp.filename)).read_bytes() if isinstance(webp, WebPImageFile) else b""
    position = 12  # after 'RIFF', the size and 'WEBP', come chunks: name, size, content, padded to an even length
    while position + 8 <= len(data):
        name, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        if name in (b"VP8 ", b"VP8L"):
            return name == b"VP8 "
        position += 8 + size + size % 2
    return False
