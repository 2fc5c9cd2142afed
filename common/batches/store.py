"""Photos kept decoded on the disk, so that each is decoded once for all crops, workers, processes and runs.

A file holds one photo, as squares of `TILE` pixels a side: a crop reads the few that it touches, of a photo of any
size. It is found by the photo's path, size and time, and by how it was opened, so one that changes is decoded again.
Files are renamed when they are complete; to remove them, remove the folder.
"""

import functools
import hashlib
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from common.runtime.errors import UserError
from common.runtime.files import temporary_name
from common.runtime.memory import machine_memory
from common.runtime.messages import say_once

log = logging.getLogger(__name__)

TILE = 256
HEAD = 16  # bytes: height and width
OPEN_FILES = 256  # that a process keeps open
WRITTEN_BEHIND = 2  # photos in memory that are being written
SAMPLED = 8  # photos whose decoded size is measured
UNREAD = 60 * 86400  # seconds after which a photo in the user's cache is given up


class StoredPhoto:
    """A decoded photo on the disk: `width`, `height`, and windows of it, as a PIL image has them."""

    def __init__(self, path: Path) -> None:
        pixels = np.memmap(path, np.uint8, mode="r")
        self.height, self.width = (int(side) for side in pixels[:HEAD].view(np.int64))
        rows, columns = -(-self.height // TILE), -(-self.width // TILE)
        self.tiles = pixels[HEAD:].reshape(rows, columns, TILE, TILE, 3)

    def crop(self, box: Sequence[int]) -> Image.Image:
        """The window (left, top, right, bottom), which lies inside."""
        left, top, right, bottom = box
        window = np.empty((bottom - top, right - left, 3), np.uint8)
        for row in range(top // TILE, -(-bottom // TILE)):
            for column in range(left // TILE, -(-right // TILE)):
                above, before = row * TILE, column * TILE  # of the tile
                y0, y1 = max(top, above), min(bottom, above + TILE)
                x0, x1 = max(left, before), min(right, before + TILE)
                part = self.tiles[row, column, y0 - above : y1 - above, x0 - before : x1 - before]
                window[y0 - top : y1 - top, x0 - left : x1 - left] = part
        return Image.fromarray(window)


def whole(photo: Image.Image | StoredPhoto) -> Image.Image:
    return photo if isinstance(photo, Image.Image) else photo.crop((0, 0, photo.width, photo.height))


class PhotoStore:
    """A function that opens photos, made to keep what `open_photo` gives below `folder`."""

    def __init__(self, open_photo: Callable[[Path], Image.Image], folder: Path) -> None:
        self.open_photo, self.folder = open_photo, folder
        self.opened = functools.lru_cache(OPEN_FILES)(StoredPhoto)
        self.is_full = False
        self.writing: dict[Path, Image.Image] = {}

    def __reduce__(self) -> Any:  # for workers that are sent it: files are opened anew
        return PhotoStore, (self.open_photo, self.folder)

    def __call__(self, path: Path) -> Image.Image | StoredPhoto:
        """The photo: from the disk if it is there; else opened, and kept. Raises PhotoError as `open_photo` does."""
        file = self.file_of(path)
        if file is not None and (photo := self.writing.get(file)) is not None:
            return photo
        if file is not None and file.exists():
            try:
                return self.opened(file)
            except (ValueError, OSError):  # cut off, by a power cut say
                with suppress(OSError):
                    file.unlink()
        photo = self.open_photo(path)
        if file is not None and not self.is_full:
            self.keep(photo, file)
        return photo

    def file_of(self, path: Path) -> Path | None:
        """Where a photo is kept; None if there is no such photo."""
        try:
            status = path.stat()
        except OSError:
            return None  # `open_photo` says what is wrong
        key = str(path.absolute()), status.st_size, status.st_mtime_ns, describe(self.open_photo)
        name = hashlib.sha256(repr(key).encode("utf-8", "surrogateescape")).hexdigest()[:32]
        return self.folder / name[:2] / f"{name}.pixels"

    def keep(self, photo: Image.Image, file: Path) -> None:
        """Writes a photo while the next is decoded; itself, if that is behind."""
        if len(self.writing) == WRITTEN_BEHIND:
            self.write(photo, file)
        else:
            self.writing[file] = photo
            threading.Thread(target=self.write, args=(photo, file)).start()

    def write(self, photo: Image.Image, file: Path) -> None:
        """Writes a photo. Where the disk is full nothing more is kept, with a line."""
        temporary = file.with_name(temporary_name())
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as written:
                write_tiles(written, np.asarray(photo))
            temporary.replace(file)
        except OSError as error:
            self.is_full = True
            log.warning("data.cache: %s cannot be written (%s): photos are decoded again and again", file, error)
        finally:
            with suppress(OSError):
                temporary.unlink()
            self.writing.pop(file, None)


def write_tiles(file: Any, pixels: np.ndarray) -> None:
    """(H, W, 3) uint8, as `StoredPhoto` reads it."""
    height, width = pixels.shape[:2]
    file.write(np.array([height, width], np.int64))
    full, rest = divmod(width, TILE)  # columns of squares
    band = np.zeros((full + (rest > 0), TILE, TILE, 3), np.uint8)
    for top in range(0, height, TILE):
        rows = pixels[top : top + TILE]
        band[:full, : len(rows)] = rows[:, : full * TILE].reshape(len(rows), full, TILE, 3).swapaxes(0, 1)
        band[full:, : len(rows), :rest] = rows[:, full * TILE :]
        file.write(band)


def describe(function: Callable[..., Any]) -> str:
    """A function and what it was given, by name and value."""
    if isinstance(function, functools.partial):
        return f"{describe(function.func)} {function.args} {sorted(function.keywords.items())}"
    return f"{function.__module__}.{function.__qualname__}"


def default_folder() -> Path:
    """Where photos are kept unless a config says where. A user without a home has the folder for temporary files."""
    try:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:
        cache = tempfile.gettempdir()
    return Path(cache) / "perceptual-enhance" / "photos"


def remove_unread_files(folder: Path) -> None:
    """Removes the photos that nobody has read for 60 days."""
    for file in folder.rglob("*.pixels"):
        with suppress(OSError):
            if time.time() - file.stat().st_atime > UNREAD:
                file.unlink()


def find_store(
    cache: str | Path, open_photo: Callable[[Path], Image.Image], photos: Sequence[Path]
) -> tuple[PhotoStore | None, int]:
    """(where the photos are kept as `data.cache` says, None if they are not; the bytes that they take, roughly).

    'auto' keeps them where they fit into a quarter of the free disk and of the memory. Raises UserError if a folder of
    one's own cannot be made.
    """
    if cache == "none":
        return None, 0
    folder = default_folder() if cache == "auto" else Path(cache).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if cache != "auto":
            raise UserError(f"data.cache = {folder}: cannot be made ({error.strerror}); give another folder") from error
        say_once(f"photos are decoded for each crop: nothing can be kept in {folder} ({error.strerror}; data.cache)")
        return None, 0
    if cache == "auto" and not os.access(folder, os.W_OK):
        say_once(f"photos are decoded for each crop: nothing can be written into {folder} (data.cache)")
        return None, 0
    store = PhotoStore(open_photo, folder)
    sizes: list[int] = []
    missing = 0  # of the photos whose size is measured
    for path in photos[:: max(1, len(photos) // SAMPLED)][:SAMPLED]:
        try:
            file = store.file_of(path)
            is_kept = file is not None and file.exists()
            photo = store(path) if is_kept else open_photo(path)  # nothing is written before it is decided
        except Exception:
            continue
        missing += not is_kept
        sizes.append(3 * photo.width * photo.height)
    n = max(1, len(sizes))
    needed = len(photos) * sum(sizes) // n
    is_too_much = needed * missing // n > free_disk(folder) // 4 or needed > (machine_memory() or 2**33) // 4
    return (None if cache == "auto" and is_too_much else store), needed


def free_disk(folder: Path) -> int:
    """Bytes; 0 where nothing can be written."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return shutil.disk_usage(existing).free if os.access(existing, os.W_OK) else 0
