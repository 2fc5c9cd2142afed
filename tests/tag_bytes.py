"""EXIF made by hand, and read by a second reader: `common.photos.tags` is not asked."""

import struct

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 9: 4, 10: 8, 12: 8}
EXIF, GPS, INTEROP, NOTE = 34665, 34853, 40965, 37500
POINTERS = {EXIF: "Exif", GPS: "GPS", INTEROP: "Interop"}


def pack_directory(order, entries, start, follower=0):
    """entries: {tag: (type, data)}. Its bytes, to lie at `start`, and {tag: the offset of its data}."""
    table, data, places = struct.pack(order + "H", len(entries)), b"", {}
    begin = start + 6 + 12 * len(entries)
    for tag, (kind, content) in sorted(entries.items()):
        value = content
        if len(content) > 4:
            places[tag] = begin + len(data)
            value = struct.pack(order + "I", places[tag])
            data += content + b"\0" * (len(content) % 2)
        table += struct.pack(order + "HHI", tag, kind, len(content) // SIZES[kind]) + value.ljust(4, b"\0")
    return table + struct.pack(order + "I", follower) + data, places


def pack_exif(order, main, details=None, gps=None, interop=None, thumbnail=b""):
    """A block without 'Exif' in front; the thumbnail is in a second directory. Also: where the MakerNote lies."""
    block, note = bytearray((b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 0)), None
    main, details = dict(main), dict(details or {})

    def add(entries, follower=0):
        start = len(block)
        data, places = pack_directory(order, entries, start, follower)
        block.extend(data)
        return start, places

    def point(start):
        return (4, struct.pack(order + "I", start))

    if interop:
        details[INTEROP] = point(add(interop)[0])
    if details:
        start, places = add(details)
        main[EXIF], note = point(start), places.get(NOTE)
    if gps:
        main[GPS] = point(add(gps)[0])
    follower = 0
    if thumbnail:
        at = len(block)
        block.extend(thumbnail)
        follower, _ = add({513: (4, struct.pack(order + "I", at)), 514: (4, struct.pack(order + "I", len(thumbnail)))})
    first, _ = add(main, follower)
    block[4:8] = struct.pack(order + "I", first)
    return bytes(block), note


def parse(block):
    """{'main', 'Exif', 'GPS', 'Interop': {tag: (type, data)}}, 'order', and 'next': the offset of the second."""
    order = {b"II": "<", b"MM": ">"}[block[:2]]
    found = {"order": order}

    def read(offset, name):
        (count,) = struct.unpack_from(order + "H", block, offset)
        entries = {}
        for i in range(count):
            tag, kind, number, value = struct.unpack_from(order + "HHI4s", block, offset + 2 + 12 * i)
            (at,) = struct.unpack(order + "I", value)
            size = number * SIZES[kind]
            entries[tag] = (kind, block[at : at + size] if size > 4 else value[:size])
            if tag == NOTE:
                found["note at"] = at
            if tag in POINTERS:
                read(at, POINTERS[tag])
        assert list(entries) == sorted(entries)  # as TIFF 6.0 demands
        found[name] = entries
        return struct.unpack_from(order + "I", block, offset + 2 + 12 * count)[0]

    found["next"] = read(struct.unpack_from(order + "I", block, 4)[0], "main")
    return found


def get_exif(path):
    """The block that lies in a file."""
    data = path.read_bytes()
    if path.suffix == ".tif":
        return data
    if path.suffix == ".png":
        at = data.index(b"eXIf")
        return data[at + 4 : at + 4 + int.from_bytes(data[at - 4 : at], "big")]
    if path.suffix == ".webp":
        at = data.index(b"EXIF")
        block = data[at + 8 : at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")]
        return block.removeprefix(b"Exif\0\0")
    at = data.index(b"Exif\0\0")
    return data[at + 6 : at - 2 + int.from_bytes(data[at - 2 : at], "big")]
