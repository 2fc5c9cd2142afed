"""The directories of tags that TIFF files and EXIF consist of (TIFF 6.0, section 2), read and written byte for byte.

Pillow decodes and encodes tags again, which changes texts that are not ASCII, and types.
"""

import struct
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple, TypeAlias

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, IFD = 1, 2, 3, 4, 5, 7, 13
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
WORDS = SIZES | {5: 4, 10: 4}  # bytes that change places in the other byte order
BIG_TIFF_ONLY = (16, 17, 18)
FORMATS = {BYTE: "B", SHORT: "H", LONG: "I", RATIONAL: "II", 16: "Q", 18: "Q", IFD: "I"}

EXIF, GPS, INTEROP, MAKER_NOTE = 34665, 34853, 40965, 37500
DIRECTORIES = (EXIF, GPS, INTEROP)
FAR = 60_000  # bytes; a JPEG holds no more


class Tag(NamedTuple):
    kind: int  # TIFF's type
    data: bytes  # in the byte order of its Tags


Directory: TypeAlias = "dict[int, Tag | Directory]"


@dataclass(frozen=True)
class Tags:
    """A first directory and those that it points to. What is not read, damaged or not wanted: in `left_out`."""

    order: str = "<"  # of bytes, as `struct` names it
    main: Directory = field(default_factory=dict)
    maker_note_at: int | None = None  # bytes from the start; its inner offsets may count from there
    left_out: frozenset[int] = frozenset()


def read_tags(file: BinaryIO, not_wanted: Collection[int] = ()) -> Tags:
    """Tags of the directory that begins a TIFF or BigTIFF, or EXIF without its 'Exif' in front. Raises ValueError."""
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        raise ValueError("it begins with neither II nor MM")
    is_big = 43 in head[2:4]
    entry, number, pointer = ("HHQ8s", "Q", "Q") if is_big else ("HHI4s", "H", "I")
    left_out, maker_note_at = set[int](), None
    budget = file.seek(0, 2)  # bytes: no more than there are, though each of many tags may point to all of them

    def read(offset: int, what: str) -> tuple:
        file.seek(offset)
        return struct.unpack(order + what, file.read(struct.calcsize(order + what)))

    def read_directory(offset: int, inner: Collection[int]) -> Directory:
        nonlocal maker_note_at, budget
        (count,) = read(offset, number)
        size = struct.calcsize(order + entry)
        file.seek(offset + struct.calcsize(order + number))
        entries = file.read(min(count, 65_535) * size)
        directory: Directory = {}
        for position in range(0, len(entries) - size + 1, size):
            tag, kind, length, data = struct.unpack_from(order + entry, entries, position)
            (at,) = struct.unpack(order + pointer, data)
            if tag in inner:
                try:
                    (begin,) = struct.unpack_from(order + FORMATS[kind], data)
                    directory[tag] = read_directory(begin, inner=(INTEROP,) if tag == EXIF else ())
                except (struct.error, ValueError, KeyError):
                    left_out.add(tag)
                continue
            if tag not in (*not_wanted, *DIRECTORIES) and kind in SIZES and kind != IFD:
                length *= SIZES[kind]
                if len(data) < length <= budget and at < 2**63:
                    budget -= length
                    file.seek(at)
                    data = file.read(length)
                    maker_note_at = at if tag == MAKER_NOTE else maker_note_at
                if length <= len(data) and kind not in BIG_TIFF_ONLY:
                    directory[tag] = Tag(kind, data[:length])
                    continue
            left_out.add(tag)
        return directory

    try:
        main = read_directory(read(8 if is_big else 4, pointer)[0], inner=(EXIF, GPS))
    except struct.error:
        raise ValueError("it is cut off") from None
    return Tags(order, main, maker_note_at, frozenset(left_out))


def to_bytes(tags: Tags) -> bytes:
    """The block that `read_tags` reads. The MakerNote lies where it was, unless that is far away."""
    note = find_maker_note(tags)
    fixed = tags.maker_note_at if note and tags.maker_note_at is not None and 8 <= tags.maker_note_at <= FAR else None
    block, end = bytearray(8), 8

    def reserve(size: int) -> int:
        """The offset of bytes that are free, even as TIFF wants it."""
        nonlocal end
        start = end + end % 2
        if fixed is not None and start < fixed + len(note) and fixed < start + size:
            start = fixed + len(note) + (fixed + len(note)) % 2
        end = start + size
        return start

    def put(start: int, data: bytes) -> int:
        block.extend(bytes(max(0, start + len(data) - len(block))))
        block[start : start + len(data)] = data
        return start

    def write_directory(directory: Directory) -> int:
        start = reserve(2 + 12 * len(directory) + 4)
        entries = struct.pack(tags.order + "H", len(directory))
        for number, tag in sorted(directory.items(), key=lambda item: item[0]):
            if isinstance(tag, dict):
                kind, count = LONG, 1
                value = struct.pack(tags.order + "I", write_directory(tag))
            else:
                kind, count, value = tag.kind, len(tag.data) // SIZES[tag.kind], tag.data
            if len(value) > 4:
                at = put(fixed if fixed is not None and value is note else reserve(len(value)), value)
                value = struct.pack(tags.order + "I", at)
            entries += struct.pack(tags.order + "HHI4s", number, kind, count, value)
        return put(start, entries + bytes(4))

    first = write_directory(tags.main)
    block[:8] = (b"II" if tags.order == "<" else b"MM") + struct.pack(tags.order + "HI", 42, first)
    return bytes(block)


def find_maker_note(tags: Tags) -> bytes:
    details = tags.main.get(EXIF)
    note = details.get(MAKER_NOTE) if isinstance(details, dict) else None
    return note.data if isinstance(note, Tag) else b""


def make_tag(order: str, kind: int, *values: int) -> Tag:
    """A tag of whole numbers; two for each RATIONAL."""
    one = FORMATS[kind]
    return Tag(kind, struct.pack(order + one * (len(values) // len(one)), *values))


def get_numbers(order: str, tag: "Tag | Directory | None") -> tuple[int, ...]:
    """The numbers of a tag; two for each RATIONAL. None, if it has no whole ones."""
    if not isinstance(tag, Tag) or tag.kind not in FORMATS:
        return ()
    one = FORMATS[tag.kind]
    return struct.unpack(order + one * (len(tag.data) // SIZES[tag.kind]), tag.data)


def reorder(directory: Directory, old: str, new: str) -> Directory:
    """A directory in another byte order."""
    if old == new:
        return directory
    return {number: reorder_tag(tag, old, new) for number, tag in directory.items()}


def reorder_tag(tag: "Tag | Directory", old: str, new: str) -> "Tag | Directory":
    if isinstance(tag, dict):
        return reorder(tag, old, new)
    size = WORDS[tag.kind]
    return Tag(tag.kind, b"".join(tag.data[i : i + size][::-1] for i in range(0, len(tag.data), size)))
