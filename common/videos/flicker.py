"""How much a film's results flicker: what changes where the film itself stays the same."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from common.videos.motion import carry, difference, find_motion, lightness
from common.videos.pictures import Picture, read_pictures
from common.videos.progress import progress_of
from common.videos.steady import Split, Steady
from common.videos.video import open_film, probe

SAME = 3.0  # of 255: a pixel whose moved lightness differs by less shows the same thing

Measure = Callable[[np.ndarray, np.ndarray], float]  # (result, true picture)


class Flicker:
    """The mean change of results from picture to picture where the film does not change but for motion.

    split: what of a result is compared, (H, W, C) float32; the change is in its units.
    """

    def __init__(self, split: Split) -> None:
        self.split = split
        self.before: dict[str, np.ndarray] = {}
        self.seen: np.ndarray | None = None
        self.changes: dict[str, list[float]] = {}

    def add(self, picture: np.ndarray, results: Mapping[str, np.ndarray]) -> None:
        """picture: of the film, (H, W, 3) uint8; results: {name: (H, W, 3) uint8}."""
        now, shown = lightness(picture), {name: self.split(result) for name, result in results.items()}
        if self.seen is not None:
            motion = find_motion(now, self.seen)
            same = difference(now, carry(self.seen, motion)) < SAME
            if same.mean() > 0.1:  # else a cut
                for name, values in shown.items():
                    moved = carry(self.before[name], motion).reshape(values.shape)
                    change = np.abs(values - moved).mean(axis=2)[same].mean()
                    self.changes.setdefault(name, []).append(float(change))
        self.seen, self.before = now, shown

    def means(self) -> dict[str, float]:
        """{name: change}; NaN for a film of one picture, or one that only cuts."""
        return {name: float(np.mean(self.changes.get(name, [np.nan]))) for name in self.before}


def pictures_of(path: Path) -> Iterator[np.ndarray]:
    """The pictures of a film, upright, 8 bits."""
    film = probe(path)
    with open_film(path) as source, progress_of(path, film.frames) as progress:
        for item in read_pictures(source, film):
            if isinstance(item, Picture):
                progress()
                yield item.pixels if item.pixels.dtype == np.uint8 else (item.pixels >> 8).astype(np.uint8)


@dataclass(frozen=True)
class VideoMeasure:
    """What a task measures of a video besides flicker. Frames are (H, W, 3) uint8."""

    prepare: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    """frame -> (input, what its result should be)."""

    enhance: Callable[[np.ndarray], np.ndarray]

    measures: Mapping[str, Measure] = field(default_factory=dict)
    """{name: how far a result is from what it should be}."""

    unit: str = "1/255"
    """Of what flickers."""


def measure_film(path: Path, what: VideoMeasure, steady: Steady) -> pd.DataFrame:
    """Flicker of the film, of results frame by frame, and of steady ones; and how far both are from the film.

    Flicker is that of what `steady` mixes. Returns a table with the rows film, plain and steady.
    """
    flicker, found = Flicker(steady.split), {name: {row: [] for row in ("plain", "steady")} for name in what.measures}
    for picture in pictures_of(path):
        given, true = what.prepare(picture)
        plain = what.enhance(given)
        results = {"plain": plain, "steady": steady(given, plain)}
        flicker.add(true, {"film": true, **results})
        for name, measure in what.measures.items():
            for row, result in results.items():
                found[name][row].append(measure(result, true))
    table = pd.DataFrame({"flicker": flicker.means()})
    for name, rows in found.items():
        table[name] = pd.Series({row: float(np.mean(values)) for row, values in rows.items()})
    return table
