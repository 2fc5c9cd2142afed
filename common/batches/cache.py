"""Photos that stay in memory, as far as they fit."""

from collections.abc import Callable
from pathlib import Path

from PIL import Image


class PhotoCache:
    """A function that opens photos, made to keep those that fit into `max_bytes`."""

    def __init__(self, open_photo: Callable[[Path], Image.Image], max_bytes: int) -> None:
        self.open, self.max_bytes, self.bytes = open_photo, max_bytes, 0
        self.photos: dict[Path, Image.Image] = {}

    def __call__(self, path: Path) -> Image.Image:
        if path in self.photos:
            return self.photos[path]
        photo = self.open(path)
        size = 3 * photo.width * photo.height
        if self.bytes + size <= self.max_bytes:
            self.photos[path] = photo
            self.bytes += size
        return photo
