"""How much a video's results flicker: what changes where the video itself stays the same."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from common.videos.decoding import DecodedFrame, read_frames
from common.videos.measure import VideoMeasure
from common.videos.motion import carry, difference, find_motion, lightness
from common.videos.progress import progress_of
from common.videos.steady import Split, Steady
from common.videos.video import open_video, probe

SAME = 3.0  # of 255: a pixel whose moved lightness differs by less shows the same thing


class Flicker:
    """The mean change of results from frame to frame where the video does not change but for motion.

    split: what of a result is compared, (H, W, C) float32; the change is in its units.
    """

    def __init__(self, split: Split) -> None:
        self.split = split
        self.before: dict[str, np.ndarray] = {}
        self.seen: np.ndarray | None = None
        self.changes: dict[str, list[float]] = {}

    def add(self, frame: np.ndarray, results: Mapping[str, np.ndarray]) -> None:
        """frame: of the video, (H, W, 3) uint8; results: {name: (H, W, 3) uint8}."""
        now, shown = lightness(frame), {name: self.split(result) for name, result in results.items()}
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
        """{name: change}; NaN for a video of one frame, or one that only cuts."""
        return {name: float(np.mean(self.changes.get(name, [np.nan]))) for name in self.before}


def frames_of(path: Path) -> Iterator[np.ndarray]:
    """The frames of a video, upright, 8 bits."""
    video = probe(path)
    with open_video(path) as source, progress_of(path, video.frames) as progress:
        for item in read_frames(source, video):
            if isinstance(item, DecodedFrame):
                progress()
                yield item.pixels if item.pixels.dtype == np.uint8 else (item.pixels >> 8).astype(np.uint8)


def measure_video(path: Path, what: VideoMeasure, steady: Steady) -> pd.DataFrame:
    """Flicker of the video, of results frame by frame, and of steady ones; and how far both are from the video.

    Flicker is that of what `steady` mixes. Returns a table with the rows video, plain and steady.
    """
    flicker, found = Flicker(steady.split), {name: {row: [] for row in ("plain", "steady")} for name in what.measures}
    for frame in frames_of(path):
        given, true = what.prepare(frame)
        plain = what.enhance(given)
        results = {"plain": plain, "steady": steady(given, plain)}
        flicker.add(true, {"video": true, **results})
        for name, measure in what.measures.items():
            for row, result in results.items():
                found[name][row].append(measure(result, true))
    table = pd.DataFrame({"flicker": flicker.means()})
    for name, rows in found.items():
        table[name] = pd.Series({row: float(np.mean(values)) for row, values in rows.items()})
    return table
