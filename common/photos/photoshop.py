"""Photoshop's image resources, of which one is IPTC: in a JPEG's APP13 segments and in a TIFF's tag 34377."""

import struct
from collections.abc import Mapping


def unpack_resources(data: bytes) -> dict[int, bytes]:
    """The content of each, by its number. Ends where the data is damaged."""
    resources, position = {}, 0
    while data[position : position + 4] == b"8BIM" and position + 12 <= len(data):
        (number,) = struct.unpack_from(">H", data, position + 4)
        position += 6 + (data[position + 6] + 2) // 2 * 2  # the name, its length in front, is padded to an even length
        if position + 4 > len(data):
            break
        (size,) = struct.unpack_from(">I", data, position)
        resources[number] = data[position + 4 : position + 4 + size]
        position += 4 + size + size % 2
    return resources


def pack_resources(resources: Mapping[int, bytes]) -> bytes:
    return b"".join(
        b"8BIM" + struct.pack(">HHI", number, 0, len(content)) + content + b"\0" * (len(content) % 2)
        for number, content in sorted(resources.items())
    )
