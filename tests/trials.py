"""Trials of bf16 that find it no faster, so that what tests compute does not depend on the CPU."""

from contextlib import contextmanager
from unittest.mock import patch

PLACES = "common.runtime.precision.speed_in_bf16", "common.inference.trial.speed_in_bf16"


@contextmanager
def trials_that_find(speed):
    """While it lasts, bf16 is so many times as fast as fp32."""
    from common.runtime.precision import time_training

    time_training.cache_clear()
    with patch(PLACES[0], lambda compute: speed), patch(PLACES[1], lambda compute: speed):
        yield
    time_training.cache_clear()
