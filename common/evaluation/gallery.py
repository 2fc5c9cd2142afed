"""Photos under several models on one page, any two of them under a slider: which model is it to be?"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from common.evaluation.differences import most_different
from common.evaluation.report import PAGE_SIDE, name_photos
from common.inference.room import RoomOf, room_for
from common.inference.work import BYTES_OF_A_VALUE, FAILURES, check_memory, explain_failure
from common.pages.page import write_page, write_within_limit
from common.pages.pictures import to_data_uri
from common.photos.flat import open_photo
from common.runtime.errors import ResultNotFinite, UserError
from common.runtime.memory import release_freed_memory

log = logging.getLogger(__name__)

PLACES = (2, 1)  # of a photo in full detail: the first that keeps the page small enough
COLUMNS = ("seconds a megapixel", "MB", "parameters")  # of the table of models
WARM_UP = 256  # pixels a side of what a model is tried on before it is timed

Plain = Callable[[np.ndarray], tuple[str, np.ndarray]]  # (H, W, 3) uint8 -> (name, (H', W', 3)): without a model
View = dict[str, Any]  # of a photo, as the template `before_after` takes it


@dataclass
class Candidate:
    """A model to choose, and how long it has taken so far."""

    name: str
    enhance: Callable[..., np.ndarray]  # (H, W, 3) uint8 -> (H', W', 3), the same size for all candidates
    megabytes: float  # of its file
    parameters: int | None  # None where the file does not tell
    times: list[tuple[float, float]] = field(default_factory=list)  # (seconds, megapixels) of each photo

    def make(self, photo: np.ndarray, **options: Any) -> np.ndarray:
        """Its result. Raises ResultNotFinite or MemoryError, with its name."""
        try:
            return self.enhance(photo, **options)
        except (ResultNotFinite, MemoryError) as error:
            raise type(error)(f"{self.name}: {str(error) or 'not enough memory'}") from error

    def make_timed(self, photo: np.ndarray) -> np.ndarray:
        """`make`, and how long it took."""
        began = time.perf_counter()
        result = self.make(photo)
        self.times.append((time.perf_counter() - began, photo.shape[0] * photo.shape[1] / 1e6))
        return result

    @property
    def pace(self) -> float:
        """Seconds a megapixel of the photos."""
        seconds, megapixels = map(sum, zip(*self.times, strict=True))
        return seconds / megapixels


def show_photos(
    paths: Sequence[Path], candidates: Sequence[Candidate], plain: Plain, room: RoomOf, any_size: dict[str, Any]
) -> dict[str, list[View]]:
    """{name: views} of each photo, enhanced by all candidates; one that cannot be is left out, with a line.

    room: what the largest result needs. any_size: options with which a result of any photo can be made, to warm up.
    Of one photo after the other the results are held; of what was shown, small pictures alone. Raises UserError if no
    photo is left.
    """
    photos: dict[str, list[View]] = {}
    for number, (name, path) in enumerate(zip(name_photos(paths), paths, strict=True), start=1):
        release_freed_memory()
        try:
            photo = np.asarray(open_photo(path))
            check_room(path, photo, len(candidates), room)
            if not photos:
                warm_up(photo, candidates, any_size)
            photos[name] = show_photo(name, photo, candidates, plain)
        except FAILURES as error:
            log.error("failed %s", explain_failure(path, error))
        else:
            log.info("%d/%d %s", number, len(paths), name)
    if not photos:
        raise UserError(f"none of {len(paths)} photos could be enhanced")
    return photos


def check_room(path: Path, photo: np.ndarray, n: int, room: RoomOf) -> None:
    """Raises PhotoError if a result cannot be made, or memory does not suffice for those of n candidates."""
    height, width = photo.shape[:2]
    needed = room_for(path, height, width, room)
    kept = 3 * (n + 4) * needed.height * needed.width  # bytes: the results, without a model, and their differences
    check_memory(path, height * width + needed.pixels + kept // BYTES_OF_A_VALUE)


def warm_up(photo: np.ndarray, candidates: Sequence[Candidate], options: dict[str, Any]) -> None:
    """Runs each candidate on the middle of a photo: its first run takes longer than others."""
    top, left = (max(0, side - WARM_UP) // 2 for side in photo.shape[:2])
    piece = np.ascontiguousarray(photo[top : top + WARM_UP, left : left + WARM_UP])
    for candidate in candidates:
        candidate.make(piece, **options)


def show_photo(name: str, photo: np.ndarray, candidates: Sequence[Candidate], plain: Plain) -> list[View]:
    """The whole photo, shrunk, and the places where candidates differ most; where one differs most from no model."""
    label, picture = plain(photo)
    label = f"{label} (no model)" if label in {candidate.name for candidate in candidates} else label
    results = {candidate.name: candidate.make_timed(photo) for candidate in candidates}
    pictures = {label: picture, **results}
    height, width = picture.shape[:2]
    first, second, *_ = list(results) if len(results) > 1 else list(pictures)

    def view(line: str, parts: dict[str, np.ndarray]) -> View:
        shown = {each: to_data_uri(Image.fromarray(part), PAGE_SIDE) for each, part in parts.items()}
        return {"name": name, "figures": [line], "pictures": shown, "left": first, "right": second}

    if max(height, width) <= PAGE_SIDE:
        return [view(f"{width} x {height} px, in full detail", pictures)]
    judged = list((results if len(results) > 1 else pictures).values())
    return [
        view(f"the whole result, {width} x {height} px, made smaller", pictures),
        *(
            view(
                f"in full detail, at x {place.left}, y {place.top}: they differ by {place.difference:.1f} of 255",
                {each: place.cut(part) for each, part in pictures.items()},
            )
            for place in most_different(judged, PAGE_SIDE, PLACES[0])
        ),
    ]


def write_gallery(
    path: Path, title: str, machine: str, candidates: Sequence[Candidate], photos: dict[str, list[View]]
) -> None:
    """Writes the page, one file, with as many places of each photo as keep it small enough, at least one."""
    labels = list(next(iter(photos.values()))[0]["pictures"])
    rows, columns = [describe(candidate) for candidate in candidates], ["", *COLUMNS]
    for name, *cells in rows:
        figures = (f"{cell['text']} {column}" for cell, column in zip(cells, COLUMNS, strict=True) if cell["text"])
        log.info("%s: %s", name["text"], ", ".join(figures))
    sizes: list[int] = []

    def write(n: int) -> int:
        shown = [(name, views[: 1 + n]) for name, views in photos.items()]
        table = {"columns": columns, "rows": rows}
        sizes.append(
            write_page(path, "gallery.html", title=title, machine=machine, table=table, labels=labels, photos=shown)
        )
        return sizes[-1]

    write_within_limit(write, PLACES)
    log.info("page: %s (%.1f MB)", path, sizes[-1] / 1e6)


def describe(candidate: Candidate) -> list[dict[str, Any]]:
    """A candidate's row, as the template `sortable` takes it."""
    count = candidate.parameters
    cells = [
        (candidate.name, None),
        (f"{candidate.pace:.3g}", candidate.pace),
        (f"{candidate.megabytes:.1f}", candidate.megabytes),
        ("" if count is None else f"{count:,}", count),
    ]
    return [{"text": text, "value": value, "best": False} for text, value in cells]
