"""Many photos in, as many photos out: one broken photo stops no other."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from common.inference.room import RoomOf, room_for, times
from common.photos.formats import MAX_SIDES
from common.photos.open import PhotoError, UnsuitablePhoto
from common.photos.whole import Photo, read_photo, to_srgb_photo
from common.photos.write import write_photo
from common.runtime.errors import ResultNotFinite, WriteError
from common.runtime.files import atomic_write
from common.runtime.memory import machine_memory, release_freed_memory
from common.runtime.out_of_memory import first_that_fits
from common.runtime.threads import ahead, behind

log = logging.getLogger(__name__)

# Three channels as an array, four in Pillow's copy of it: 8 bytes; 192 megapixels enhanced at their size took 3.6 GB.
BYTES_OF_A_VALUE, WORTH_SAYING = 8, 2e9
LARGE = 200e6  # bytes; of a photo and its result, if they are to wait in memory beside others

FAILURES = (PhotoError, WriteError, ResultNotFinite, MemoryError, OSError)  # of one photo; the others go on

Enhance = Callable[[np.ndarray], np.ndarray]  # (H, W, 3) uint8 or uint16 -> (scale H, scale W, 3)
Remark = Callable[[Path, np.ndarray], None]  # says what there is to know of a photo, (H, W, 3) uint8 or uint16


class Together(NamedTuple):
    """How several small photos are enhanced at once, which keeps a GPU busy."""

    enhance: Callable[[list[np.ndarray]], list[np.ndarray]]  # photos of one size and depth
    pixels: int  # that they may have in all


class Entry(NamedTuple):
    """A photo of a plan: its number, its path, its result's path."""

    number: int
    path: Path
    result: Path


class OpenPhoto(NamedTuple):
    """A photo that was read."""

    entry: Entry
    photo: Photo


def enhance_photos(
    plan: Sequence[tuple[Path, Path]],
    enhance: Enhance,
    keep_grey: bool = True,
    quality: int | None = None,
    room: RoomOf = times(1),  # noqa: B008 (a function)
    together: Together | None = None,
    remark: Remark = lambda path, photo: None,
) -> int:
    """Reads, enhances and writes each photo of `plan_outputs`. enhance: (H, W, 3) uint8 -> (H', W', 3) uint8.

    keep_grey: a grey photo's result is saved grey. quality: of `common.photos.write.write_photo`.
    room: what results need. together: for small photos of one size that follow each other. remark: is shown each photo.

    The next photo is read, and the one before written, while one is enhanced; large ones are alone in memory. A photo
    that cannot be read or written gets one line. Returns how many those were.
    """
    failed: list[Path] = []  # by three threads

    def report_failure(path: Path, error: BaseException) -> None:
        failed.append(path)
        log.error("failed %s", explain_failure(path, error))

    def is_large(path: Path) -> bool:
        try:
            return bytes_of(path, room) > LARGE
        except PhotoError:  # which reading it tells
            return False

    def read(entry: Entry) -> OpenPhoto | None:
        try:
            return OpenPhoto(entry, read_to_enhance(entry.path, entry.result, keep_grey, room, remark))
        except FAILURES as error:
            report_failure(entry.path, error)

    def read_small_ones() -> Iterator[Entry | OpenPhoto | None]:
        for number, (path, result) in enumerate(plan, start=1):
            entry = Entry(number, path, result)
            yield entry if is_large(path) else read(entry)

    def read_the_rest(entries: Iterable[Entry | OpenPhoto | None]) -> Iterator[OpenPhoto]:
        for entry in entries:
            if item := read(entry) if isinstance(entry, Entry) else entry:
                yield item
                del item

    def write(done: tuple[OpenPhoto, np.ndarray]) -> None:
        ((number, path, result), photo), enhanced = done
        try:
            write_result(result, enhanced, photo, quality)
        except FAILURES as error:
            report_failure(path, error)
        else:
            log.info("%d/%d %s  %d x %d", number, len(plan), result, *enhanced.shape[1::-1])

    def enhance_group(group: Sequence[OpenPhoto]) -> None:
        pixels = [item.photo.rgb for item in group]
        results = enhance_together(pixels, together) if together and len(group) > 1 else None
        for index, item in enumerate(group):
            try:
                enhanced = results[index] if results else enhance(item.photo.rgb)
            except FAILURES as error:
                report_failure(item.entry.path, error)
            else:
                (write if enhanced.nbytes > LARGE else write_behind)((item, enhanced))

    with ahead(read_small_ones(), 1) as entries, behind(write, 1) as write_behind:
        for group in group_by_size(read_the_rest(entries), together.pixels if together else 0):
            enhance_group(group)
            group.clear()  # before the next is read
    if failed:
        log.error("%d of %d photos failed", len(failed), len(plan))
    return len(failed)


def bytes_of(path: Path, room: RoomOf) -> int:
    """Of the largest picture on the way, as the photo's header says; 0 if Pillow cannot read that."""
    try:
        with Image.open(path) as image:
            width, height = image.size
    except Exception:  # Pillow's parsers raise errors of many kinds; whoever reads the photo says what is wrong
        return 0
    return 3 * room(height, width).pixels


def group_by_size(photos: Iterable[OpenPhoto], pixels: int) -> Iterator[list[OpenPhoto]]:
    """Photos of one size and depth that follow each other, as many as have `pixels` in all; larger ones alone."""
    group: list[OpenPhoto] = []
    kind = None
    for item in photos:
        *size, _ = item.photo.rgb.shape
        if group and kind != (size, item.photo.rgb.dtype):
            yield group
            group = []
        kind = size, item.photo.rgb.dtype
        group.append(item)
        del item  # so that nothing holds it when the next is read
        if (len(group) + 1) * size[0] * size[1] > pixels:
            yield group
            group = []
    if group:
        yield group


def enhance_together(photos: list[np.ndarray], together: Together) -> list[np.ndarray] | None:
    """The results of photos of one size, or None if they must be made one by one: memory does not suffice for all at
    once, or one of them is not finite, or cannot be made: what is wrong with it is said of that one."""
    ways = [(f"{len(photos)} photos at once", lambda: together.enhance(photos)), ("one at a time", lambda: None)]
    try:
        return first_that_fits(ways)
    except (ResultNotFinite, PhotoError):
        return None


def enhance_photo(
    path: Path,
    result: Path,
    enhance: Enhance,
    keep_grey: bool = True,
    quality: int | None = None,
    room: RoomOf = times(1),  # noqa: B008 (a function)
    remark: Remark = lambda path, photo: None,
) -> tuple[int, int]:
    """One photo of `enhance_photos`; returns (height, width) of the result. Raises one of FAILURES."""
    photo = read_to_enhance(path, result, keep_grey, room, remark)
    pixels = enhance(photo.rgb)
    write_result(result, pixels, photo, quality)
    return pixels.shape[0], pixels.shape[1]


def read_to_enhance(
    path: Path, result: Path, keep_grey: bool, room: RoomOf, remark: Remark = lambda path, photo: None
) -> Photo:
    """The photo, shown to `remark`. Raises one of FAILURES, also for a result too large for its format or memory."""
    release_freed_memory()
    photo = read_photo(path)
    if not keep_grey:
        photo = to_srgb_photo(photo)
    height, width = photo.rgb.shape[:2]
    needed = room_for(path, height, width, room)
    check_size(result, needed.width, needed.height)
    check_memory(path, (height * width + needed.pixels) * photo.rgb.itemsize)
    remark(path, photo.rgb)
    return photo


def check_size(result: Path, width: int, height: int) -> None:
    """Raises PhotoError if the format of the result cannot have so many pixels."""
    limit = MAX_SIDES.get(result.suffix.lower())
    if limit is not None and max(width, height) > limit:
        raise PhotoError(
            f"{result}: {width} x {height} px, and the format has at most {limit:,} a side; take another, such as "
            "--format png"
        )


def check_memory(path: Path, values: int) -> None:
    """Says how much memory a large photo and its result take. values: bytes of one channel of both.

    Raises PhotoError if that is more than the machine has.
    """
    needed, memory = BYTES_OF_A_VALUE * values, machine_memory()
    if memory is not None and needed > memory:
        raise PhotoError(f"{path}: needs {needed / 1e9:.0f} GB of memory, and this machine has {memory / 1e9:.0f}")
    if needed > WORTH_SAYING:
        log.info("%s: needs about %.1f GB of memory", path, needed / 1e9)


def write_result(result: Path, pixels: np.ndarray, like: Photo, quality: int | None) -> None:
    """Writes the whole file or none, and makes its folder. Raises one of FAILURES."""
    result.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(result) as temporary:
        write_photo(temporary, pixels, like=like, quality=quality, name=result)


def explain_failure(path: Path, error: BaseException) -> str:
    """One of FAILURES in a line that begins with the photo's path."""
    if isinstance(error, PhotoError | WriteError) and not isinstance(error, UnsuitablePhoto):
        return str(error)
    return f"{path}: {getattr(error, 'strerror', None) or str(error) or 'not enough memory'}"
