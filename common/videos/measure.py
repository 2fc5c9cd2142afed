"""What a task has measured of a video; without the packages that read one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

Measure = Callable[[np.ndarray, np.ndarray], float]  # (result, true frame)


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
