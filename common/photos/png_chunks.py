"""The chunks of a PNG file, byte for byte (W3C PNG, 5.3). Pillow decodes and encodes their texts again."""

import struct
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path

XMP_START = b"XML:com.adobe.xmp\0"
TEXTS = (b"tEXt", b"zTXt", b"iTXt")


def read_chunks(path: Path, names: Collection[bytes]) -> list[tuple[bytes, bytes]]:
    """(name, content) of those chunks, in the file's order. Ends where the file is damaged."""
    end = path.stat().st_size
    with path.open("rb") as file:
        file.seek(8)
        chunks = []
        while len(head := file.read(8)) == 8:
            size, name = struct.unpack(">I4s", head)
            if name == b"IEND" or file.tell() + size > end:
                break
            if name in names:
                content = file.read(size)
                if file.read(4) == struct.pack(">I", zlib.crc32(name + content)):
                    chunks.append((name, content))
            else:
                file.seek(size + 4, 1)
        return chunks


def split_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(name, content) of every chunk of a whole PNG file."""
    position = 8
    while position < len(data):
        size, name = struct.unpack(">I4s", data[position : position + 8])
        yield name, data[position + 8 : position + 8 + size]
        position += 12 + size


def pack_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def get_keyword(text: bytes) -> str:
    """Of a text chunk's content."""
    return text.split(b"\0", 1)[0].decode("latin-1")


def pack_text(keyword: bytes, text: bytes) -> tuple[bytes, bytes]:
    """A text chunk that holds these bytes: UTF-8, or else Latin-1."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return b"tEXt", keyword + b"\0" + text
    return b"iTXt", keyword + b"\0\0\0\0\0" + text


def is_xmp(name: bytes, content: bytes) -> bool:
    return name == b"iTXt" and content.startswith(XMP_START)
