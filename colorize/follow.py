"""Hints in a video: those of a frame move along with it, as OpenCV's optical flow sees it move.

A hint ends when its place leaves the picture, when something else covers it, and at a cut.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from colorize.hints import Hint, read_hints
from common.videos.motion import CUT, carry, difference, find_motion, lightness

OTHER = 25.0  # of 255: where a frame differs by so much from the one before, moved, another thing is seen
AROUND = 5  # pixels a side whose motion a hint follows, their median, since the flow of one pixel may be wrong


class FollowedHints:
    """enhance(frame) -> result for the frames of one video one after the other, all of one size.

    color: (frame, hints=hints) -> result. hints: each begins in its own `frame`.
    """

    def __init__(self, color: Callable[..., np.ndarray], hints: list[Hint]) -> None:
        self.color, self.hints = color, hints
        self.here: list[Hint] = []
        self.before: np.ndarray | None = None
        self.number = 0  # of the frame that comes next
        self.begins_anew = False  # whether hints begin in this frame: the result of before is not to be mixed in

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        now = lightness(frame)
        if self.here and self.before is not None and self.before.shape == now.shape:
            self.here = move_hints(self.here, self.before, now)
        new = [hint._replace(frame=0) for hint in self.hints if hint.frame == self.number]
        self.here, self.begins_anew = self.here + new, bool(new)
        self.before, self.number = now, self.number + 1
        return self.color(frame, hints=self.here or None)


def follow(
    color: Callable[..., np.ndarray], hints: str | Path | list[Hint] | None = None, **_: object
) -> Callable[..., np.ndarray]:
    """What colours the frames of one video: `color` itself without hints. Raises UserError if they are wrong."""
    if hints is None:
        return color
    return FollowedHints(color, hints if isinstance(hints, list) else read_hints(Path(hints)))


def move_hints(hints: list[Hint], before: np.ndarray, now: np.ndarray) -> list[Hint]:
    """Hints of a frame -> those of the next that are still seen there. before, now: their lightness, (H, W) uint8."""
    motion = find_motion(before, now)  # of each pixel of `before`: where it is in `now`
    differ = difference(before, carry(now, motion))
    if differ.mean() > CUT:
        return []
    moved = []
    for hint in hints:
        row, column = int(hint.y), int(hint.x)
        near = [slice(max(0, at - AROUND // 2), at + AROUND // 2 + 1) for at in (row, column)]
        right, down = np.median(motion[near[0], near[1]], axis=(0, 1)).tolist()
        x, y = hint.x + right, hint.y + down
        if differ[row, column] <= OTHER and 0 <= x < now.shape[1] and 0 <= y < now.shape[0]:
            moved.append(hint._replace(x=x, y=y))
    return moved
