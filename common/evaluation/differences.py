"""Where pictures of one photo differ most: the places to look at."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

STEP = 8  # pixels between places that are tried


class Place(NamedTuple):
    """A part of a picture, and how much pictures differ in it."""

    top: int
    left: int
    height: int
    width: int
    difference: float  # mean over its values of the largest less the smallest, of 255

    def cut(self, picture: np.ndarray) -> np.ndarray:
        """(H, W, 3) -> (height, width, 3), a view."""
        return picture[self.top : self.top + self.height, self.left : self.left + self.width]


def spread_of(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """(H, W, 3) uint8 each -> (H, W) uint16: the largest less the smallest value, the sum over the channels."""
    low = high = pictures[0]
    for picture in pictures[1:]:
        low, high = np.minimum(low, picture), np.maximum(high, picture)
    return (high - low).sum(axis=2, dtype=np.uint16)


def most_different(pictures: Sequence[np.ndarray], side: int, n: int) -> list[Place]:
    """The n places of `side` x `side` pixels where pictures (H, W, 3) uint8 differ most, the first one most of all.

    They do not overlap, and are shorter where the pictures are. There are fewer where there is no room, or no
    difference.
    """
    spread = spread_of(pictures)
    height, width = (min(side, length) for length in spread.shape)
    tops, lefts = (
        np.arange(0, length - part + 1, STEP) for length, part in zip(spread.shape, (height, width), strict=True)
    )
    down = np.cumsum(spread, axis=0, dtype=np.uint32)
    bands = down[tops + height - 1] - down[tops] + spread[tops]  # sums of `height` rows
    across = np.cumsum(bands, axis=1, dtype=np.int64)
    means = (across[:, lefts + width - 1] - across[:, lefts] + bands[:, lefts]) / (3 * height * width)
    places: list[Place] = []
    while len(places) < n and means.max() > 0:
        row, column = np.unravel_index(means.argmax(), means.shape)
        places.append(Place(int(tops[row]), int(lefts[column]), height, width, float(means[row, column])))
        overlap = np.ix_(abs(tops - tops[row]) < height, abs(lefts - lefts[column]) < width)
        means[overlap] = 0
    return places
