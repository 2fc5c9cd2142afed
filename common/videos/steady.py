"""Results that do not flicker: what was shown before moves along with the video, and is mixed with what is new.

Only where the video itself looks the same (its lightness): nothing trails behind what moves, and a cut begins anew.
"""

from collections.abc import Callable

import numpy as np

from common.videos.motion import belief, carry, find_motion, lightness

Split = Callable[[np.ndarray], np.ndarray]  # a result -> what is mixed, (H, W, C) float32
Join = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (what was mixed, the result) -> the new result


def all_of(result: np.ndarray) -> np.ndarray:
    return result.astype(np.float32)


def as_result(values: np.ndarray, result: np.ndarray) -> np.ndarray:
    return values.round().clip(0, np.iinfo(result.dtype).max).astype(result.dtype)


class Steady:
    """steady(frame, result) -> result, for the frames of one video one after the other.

    amount: how much of the moved result of before is mixed in, at most: 0 nothing, 0.9 nine tenths. split, join: what
    of a result is mixed, and how it gets back; all of it, unless given.
    """

    def __init__(self, amount: float, split: Split = all_of, join: Join = as_result) -> None:
        self.amount, self.split, self.join = amount, split, join
        self.before: tuple[np.ndarray, np.ndarray] | None = None  # lightness of the frame; what was mixed

    def __call__(self, frame: np.ndarray, result: np.ndarray) -> np.ndarray:
        """frame: (H, W, 3) of the video; result: (scale H, scale W, 3)."""
        if self.amount == 0:
            return result
        values, now = self.split(result), lightness_at(frame, result)
        if self.before is not None and self.before[0].shape == now.shape:
            seen, shown = self.before
            motion = find_motion(now, seen)
            part = self.amount * belief(now, carry(seen, motion))[..., None]
            values = values + part * (carry(shown, motion).reshape(values.shape) - values)
        self.before = now, values
        return self.join(values, result)


def lightness_at(frame: np.ndarray, result: np.ndarray) -> np.ndarray:
    """The frame's lightness at the result's size, (scale H, scale W) uint8."""
    grey, scale = lightness(frame), result.shape[0] // frame.shape[0]
    return grey if scale == 1 else grey.repeat(scale, axis=0).repeat(scale, axis=1)
