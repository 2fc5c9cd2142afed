"""What the page does with a visitor's photos, within its limits; what it says names no path of this computer."""

import os
import re
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError
from torch import nn

from common.inference.plan import get_writable_path
from common.inference.room import RoomOf, room_by, room_for
from common.inference.tile_layout import TILE
from common.inference.work import FAILURES, Enhance, enhance_photo, explain_failure
from common.photos.flat import open_photo
from common.photos.open import PhotoError
from common.runtime.errors import UserError
from common.task import Task
from common.web.visitors import Visitors

TRIED_SIDE = 256  # pixels of the noise that tells how long a megapixel takes

# Those of photos; for some others, such as PostScript, Pillow runs programs.
FORMATS = ("JPEG", "MPO", "PNG", "TIFF", "WEBP", "BMP", "DIB", "GIF", "PPM", "TGA", "JPEG2000", "AVIF", "HEIF")
MAX_PAGES = 1000  # of a TIFF: the time to count them grows with their square, 20,000 in 2 MB take 5 seconds


@dataclass
class Page:
    """A running page and its limits."""

    task: Task
    models: dict[str, Path]
    visitors: Visitors
    open: Callable[[Path, Path | None, float], nn.Module]  # (model, other model, part of it): ready to run
    tile: int = TILE
    megapixels: float = 50.0  # of a result
    photos: int = 100  # at once
    minutes: float = 60.0  # that they may take together

    def __post_init__(self) -> None:
        cached = lru_cache(maxsize=4)(self.open)
        self.load = lambda path, other, part: cached(path, other, part if other else 0.0)

    def enhance(
        self, files: list[str], model: str, other: str, part: float, options: dict[str, Any], session: str
    ) -> tuple[tuple[str, str] | None, str | None, str]:
        """(pictures before and after of the first photo, the result or a zip of all, messages).

        files: uploads, which belong to the visitor from now on.
        """
        if not files:
            return None, None, "Drop a photo first."
        if len(files) > self.photos:
            return None, None, f"{len(files)} photos, and this page takes up to {self.photos} at once."
        photos = [Path(file) for file in files]
        self.visitors.hold(session, photos)
        with self.visitors.make_folder(session) as results:
            try:
                self.task.check_options(options)
                network = self.load(self.models[model], self.models.get(other), part)
            except UserError as error:  # models that cannot be mixed, options that contradict each other
                return None, None, self.without_paths(str(error))
            done, lines = self.enhance_all(photos, results, network, options, session)
            if not done or not self.visitors.holds(session, results):  # the visitor has left
                return None, None, "\n\n".join(lines)
            return before_and_after(*done[0], results), bundle([path for _, path in done], results), "\n\n".join(lines)

    def enhance_all(
        self, photos: list[Path], results: Path, network: nn.Module, options: dict[str, Any], session: str
    ) -> tuple[list[tuple[Path, Path]], list[str]]:
        """([(photo, its result)], messages). Stops when the time is over or the visitor has left."""
        scale, enhance = int(getattr(network, "scale", 1)), self.get_enhance(network, **options)
        room = room_by(self.task.room, scale, options)
        done, lines, started = [], [], time.monotonic()

        def remark(photo: Path, pixels: np.ndarray) -> None:
            if line := self.task.use().remark(network, pixels, **options):
                lines.append(self.without_paths(f"{photo}: {line}"))

        for number, (photo, result) in enumerate(zip(photos, name_results(photos, results), strict=True)):
            if time.monotonic() - started > 60 * self.minutes:
                lines.append(
                    f"After {self.minutes:g} minutes {len(photos) - number} photos were left: start them again."
                )
                break
            if not self.visitors.holds(session, results):
                break
            try:
                self.check_photo(photo, room)
                enhance_photo(photo, result, enhance, self.task.keep_grey, room=room, remark=remark)
                done.append((photo, result))
            except FAILURES as error:
                lines.append(self.without_paths(explain_failure(photo, error)))
        lines.append(f"{len(done)} of {len(photos)} photos in {time.monotonic() - started:.1f} s")
        return done, lines

    def get_enhance(self, network: nn.Module, **options: Any) -> Enhance:
        return partial(self.task.use().enhance, network, tile=self.tile, **options)

    def check_photo(self, photo: Path, room: RoomOf) -> None:
        """Raises PhotoError if a file is no photo or its result would be too large, before a pixel is decoded."""
        Image.init()  # all kinds, not only the usual ones
        try:
            with Image.open(photo, formats=[kind for kind in FORMATS if kind in Image.OPEN]) as image:
                needed = room_for(photo, image.height, image.width, room)
                size = max(needed.pixels, needed.height * needed.width) / 1e6
                if image.format == "TIFF" and has_page(image, MAX_PAGES):
                    raise PhotoError(f"{photo}: more than {MAX_PAGES} pages")
        except PhotoError:
            raise
        except FileNotFoundError:
            raise PhotoError(f"{photo}: no longer here; drop it again") from None
        except UnidentifiedImageError:
            raise PhotoError(f"{photo}: no photo, or of a kind that this page does not take") from None
        except Image.DecompressionBombError:
            raise PhotoError(f"{photo}: far too large for this page") from None
        except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, struct.error and others
            raise PhotoError(f"{photo}: broken ({error})") from None
        if size > self.megapixels:
            raise PhotoError(
                f"{photo}: its result would have {size:.1f} megapixels, and this page makes up to {self.megapixels:g}; "
                "predict takes any size"
            )

    def without_paths(self, message: str) -> str:
        """The message with names in place of paths: of models as on the page, of photos and results as in the zip."""
        for name, path in self.models.items():
            message = message.replace(str(path), name)
        folder, sep = re.escape(str(self.visitors.folder)), re.escape(os.sep)
        return re.sub(rf"{folder}{sep}(?:[^{sep}]*{sep})?", "", message)

    def seconds_for_a_megapixel(self) -> float:
        """Of the result, by the first model with its usual options."""
        model = self.load(next(iter(self.models.values())), None, 0.0)
        noise = np.random.default_rng(0).integers(0, 256, (TRIED_SIDE, TRIED_SIDE, 3), np.uint8)
        enhance = self.get_enhance(model)
        enhance(noise)
        started = time.monotonic()
        size = enhance(noise).size / 3 / 1e6
        return (time.monotonic() - started) / size


def has_page(image: Image.Image, number: int) -> bool:
    try:
        image.seek(number)
    except EOFError:
        return False
    return True


def name_results(photos: list[Path], folder: Path) -> list[Path]:
    """A path for the result of each: the photo's name, with a number where it is taken, in whatever case."""
    results: list[Path] = []
    taken: set[str] = set()
    for photo in photos:
        result = first = get_writable_path(folder / photo.name, set(), photo)
        number = 2
        while result.name.lower() in taken:
            result = first.with_stem(f"{first.stem}-{number}")
            number += 1
        taken.add(result.name.lower())
        results.append(result)
    return results


def before_and_after(photo: Path, result: Path, folder: Path) -> tuple[str, str]:
    """Two JPEGs of one size, for the slider: the photo, enlarged if the result is larger, and the result."""
    after = open_photo(result)
    before = open_photo(photo).resize(after.size, Image.Resampling.BICUBIC)
    paths = folder / "shown" / "before.jpg", folder / "shown" / "after.jpg"
    paths[0].parent.mkdir()
    for picture, path in zip((before, after), paths, strict=True):
        picture.save(path, quality=92)
    return str(paths[0]), str(paths[1])


def bundle(results: list[Path], folder: Path) -> str:
    """The result itself; a zip of several."""
    if len(results) == 1:
        return str(results[0])
    path = folder / "shown" / "results.zip"
    with zipfile.ZipFile(path, "w") as file:  # not compressed: pictures are
        for result in results:
            file.write(result, result.name)
    return str(path)
