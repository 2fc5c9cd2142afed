"""What a photo's file says about it besides its pixels: EXIF, resolution, texts, XMP and IPTC, to come back with it."""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.ExifTags import IFD, Base
from PIL.PngImagePlugin import PngInfo, iTXt
from PIL.WebPImagePlugin import WebPImageFile

IPTC_RESOURCE = 0x0404  # of Photoshop's, in a JPEG's APP13
MAX_SEGMENT = 65_533  # bytes in a JPEG's segment
XMP_KEY = "XML:com.adobe.xmp"  # of PNG's text
# Tags of EXIF's first directory that describe how a TIFF stores its pixels, not the photo. The result has its own.
STRUCTURE = {
    *range(254, 260), 262, 263, 266, 273, 274, *range(277, 282), 284, 301, *range(317, 326), 330, 332, 338, 339, 340,
    341, 347, *range(512, 522), 529, 530, 531, 532, 34675,
}  # fmt: skip
KEPT_COMPRESSIONS = ("tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits")  # those of fax hold no grey
TIFF_ONLY = {700, 33723, 34377}  # XMP, IPTC and Photoshop's, which other formats have elsewhere


@dataclass(frozen=True)
class Metadata:
    """Of one photo, whose pixels are turned upright when they are read."""

    exif: bytes = b""
    dpi: tuple[float, float] | None = None
    text: Mapping[str, str] = field(default_factory=dict)  # PNG
    xmp: bytes | None = None
    iptc: bytes | None = None  # JPEG
    comment: bytes | None = None  # JPEG, GIF
    frames: int = 1
    compression: str | None = None  # TIFF
    is_lossy_webp: bool = False
    orientation: int = 1  # EXIF's, of the pixels as Pillow loads them
    has_16_bits: bool = False  # of which Pillow loads 8


def read_exif(image: Image.Image) -> bytes:
    """EXIF of an opened file, before its pixels are loaded, which closes a TIFF; empty if there is none.

    Raises whatever Pillow's parsers raise for damaged EXIF: SyntaxError, struct.error, TypeError and others.
    """
    exif = image.getexif()
    return exif.tobytes() if len(exif) else b""


def count_frames(image: Image.Image) -> int:
    """Of an opened file, before its pixels are loaded. Those of MPO are not for looking at, and do not count."""
    return getattr(image, "n_frames", 1) if image.format != "MPO" else 1


def read_metadata(image: Image.Image, exif: bytes, orientation: int, frames: int, has_16_bits: bool) -> Metadata:
    """Of a file whose pixels are loaded: PNG may have texts behind them. The others: as found before that."""
    photoshop = image.info.get("photoshop")
    xmp, comment = image.info.get("xmp"), image.info.get("comment")
    return Metadata(
        exif=exif,
        dpi=image.info.get("dpi") if image.info.get("dpi") != (1, 1) else None,  # which Pillow says of a TIFF without
        text={key: make_upright(value) for key, value in getattr(image, "text", {}).items()},
        xmp=make_upright(xmp) if isinstance(xmp, bytes) else None,
        iptc=photoshop.get(IPTC_RESOURCE) if isinstance(photoshop, dict) else None,
        comment=comment.encode() if isinstance(comment, str) else comment,
        frames=frames,
        orientation=orientation,
        has_16_bits=has_16_bits,
        compression=image.info.get("compression") if image.format == "TIFF" else None,
        is_lossy_webp=image.format == "WEBP" and is_lossy(image),
    )


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


def make_upright(xmp: Any) -> Any:
    """XMP, or another text, with its orientation set to upright."""
    pattern, upright = r"(tiff:Orientation(?:=\"|>))[0-9]", r"\g<1>1"
    if isinstance(xmp, bytes):
        return re.sub(pattern.encode(), upright.encode(), xmp)
    new = re.sub(pattern, upright, xmp)
    return xmp if new == xmp else iTXt(new, getattr(xmp, "lang", ""), getattr(xmp, "tkey", ""))


def save_options(metadata: Metadata, suffix: str, size: tuple[int, int]) -> dict[str, Any]:
    """What `Image.save` is given to write it into a file with this ending. size: (width, height) of the result."""
    options: dict[str, Any] = {}
    is_tiff, is_jpeg = suffix in (".tif", ".tiff"), suffix in (".jpg", ".jpeg", ".jpe", ".jfif")
    if exif := get_exif(metadata, is_tiff, size):
        options["exif"] = exif
    if is_tiff and metadata.compression in KEPT_COMPRESSIONS:
        options["compression"] = metadata.compression
    if metadata.dpi is not None and suffix != ".webp":
        options["dpi"] = tuple(float(value) for value in metadata.dpi)
    if metadata.xmp is not None and (is_jpeg or suffix == ".webp"):
        options["xmp"] = metadata.xmp
    if is_jpeg and metadata.comment is not None:
        options["comment"] = metadata.comment
    if is_jpeg and metadata.iptc is not None:
        options["extra"] = make_app13(metadata.iptc)
    if suffix == ".png":
        options["pnginfo"] = make_png_text(metadata)
    return options


def get_exif(metadata: Metadata, is_tiff: bool, size: tuple[int, int]) -> Image.Exif | None:
    """The EXIF of a result of `size`, or None if there is nothing in it."""
    exif = Image.Exif()
    exif.load(metadata.exif)
    for tag in STRUCTURE if is_tiff else STRUCTURE | TIFF_ONLY:
        if tag in exif:
            del exif[tag]
    details = exif.get_ifd(IFD.Exif) if IFD.Exif in exif else {}
    for tag, side in ((Base.ExifImageWidth, size[0]), (Base.ExifImageHeight, size[1])):
        if tag in details:
            details[tag] = side
    return exif if len(exif) else None


def make_app13(iptc: bytes) -> bytes:
    """A JPEG's segment that holds IPTC's captions and copyright, or nothing if they are too long for one."""
    block = b"8BIM" + struct.pack(">HHI", IPTC_RESOURCE, 0, len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
    content = b"Photoshop 3.0\0" + block
    return b"\xff\xed" + struct.pack(">H", len(content) + 2) + content if len(content) <= MAX_SEGMENT else b""


def make_png_text(metadata: Metadata) -> PngInfo:
    info = PngInfo()
    for key, value in metadata.text.items():
        if isinstance(value, iTXt):
            info.add_itxt(key, value, value.lang or "", value.tkey or "")
        else:
            info.add_text(key, value)
    if metadata.xmp is not None and XMP_KEY not in metadata.text:
        info.add_itxt(XMP_KEY, metadata.xmp.decode("utf-8", "replace"))
    if metadata.comment is not None and "Comment" not in metadata.text:
        info.add_text("Comment", metadata.comment.decode("utf-8", "replace"))
    return info
