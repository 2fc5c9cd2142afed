"""What the page does with a visitor's photos, within its limits; what it says names no path of this computer."""

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError
from torch import nn

from common.inference.precision import float32
from common.inference.room import RoomOf, room_by, room_for
from common.inference.tile_layout import TILE
from common.inference.work import FAILURES, Enhance, enhance_photo, explain_failure
from common.photos.open import PhotoError
from common.runtime.errors import UserError
from common.task import Points, Task
from common.web.points import NONE, answer, clicked_on, show
from common.web.results import before_and_after, bundle, name_results
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
        self.working = Lock()  # on one photo at a time, whoever's
        cached = lru_cache(maxsize=4)(self.open)
        self.load = lambda path, other, part: cached(path, other, part if other else 0.0)

    def enhance(
        self,
        files: list[str],
        model: str,
        other: str,
        part: float,
        options: dict[str, Any],
        session: str,
        clicked: Any = NONE,
    ) -> tuple[tuple[str, str] | None, str | list[str] | None, str]:
        """(pictures before and after of the first photo, the result or a zip of all, messages).

        files: uploads, which belong to the visitor from now on. clicked: on a single photo, as the browser sends it;
        its points come as a second file.
        """
        if not files:
            return None, None, "Drop a photo first."
        if len(files) > self.photos:
            return None, None, f"{len(files)} photos, and this page takes up to {self.photos} at once."
        photos = [Path(file) for file in files]
        self.visitors.hold(session, photos)
        with self.visitors.make_folder(session) as results:
            try:
                options = self.read_options(options)
                with self.working:
                    network = self.load(self.models[model], self.models.get(other), part)
                points = self.points_of(network) if len(photos) == 1 else None
                told = clicked_on(photos[0], clicked).points if points else []
                given = {points.option: points.read(told)} if points and told else {}
            except UserError as error:  # models that cannot be mixed, options that contradict each other
                return None, None, self.without_paths(str(error))
            done, lines = self.enhance_all(photos, results, network, {**options, **given}, session)
            if not done or not self.visitors.holds(session, results):  # the visitor has left
                return None, None, "\n\n".join(lines)
            shown = before_and_after(*done[0], results)
            beside = (points.option, told) if points and told else None
            return shown, bundle([path for _, path in done], results, beside), "\n\n".join(lines)

    def read_options(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options, with numbers of what was typed. Raises UserError if one is wrong, or they contradict."""
        numbers = {o.name: o.read(options[o.name]) for o in self.task.options if o.name in options}
        self.task.check_options(options := options | numbers)
        return options

    def points_of(self, network: nn.Module) -> Points | None:
        """What people can tell this model of single places, if anything."""
        points = self.task.use().points
        return points if points and points.taken_by(network) else None

    def takes_points(self) -> bool:
        """Whether one of the models does."""
        points = self.task.use().points
        return points is not None and any(points.taken_by(self.load(path, None, 0.0)) for path in self.models.values())

    def follow(
        self,
        files: list[str] | None,
        model: str,
        other: str,
        part: float,
        options: dict[str, Any],
        session: str,
        clicked: Any,
    ) -> tuple[dict[str, Any], str]:
        """(what `points.js` shows of the result, messages). Of several photos, and of a model that takes no points,
        it shows nothing."""
        if not files or len(files) > 1:
            return answer(), ""
        photo = Path(files[0])
        self.visitors.hold(session, [photo])
        try:
            with self.working:
                network = self.load(self.models[model], self.models.get(other), part)
                points = self.points_of(network)
                if points is None:
                    return answer(), ""
                options = self.read_options(options)
                self.check_photo(photo, room_by(self.task.room, int(getattr(network, "scale", 1)), options))
                enhance = partial(self.get_enhance, network, **options)
                suggest = partial(points.suggest, network, **options)
                return show(points, photo, clicked_on(photo, clicked), enhance, suggest), ""
        except (UserError, *FAILURES) as error:
            return answer(), self.without_paths(explain_failure(photo, error))

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
                with self.working:
                    enhance_photo(photo, result, enhance, self.task.keep_grey, room=room, remark=remark)
                done.append((photo, result))
            except (UserError, *FAILURES) as error:
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
        with float32():  # or noise would decide whether photos are computed in bf16
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
