"""How far a film is: a bar on a terminal, elsewhere a line a minute."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from common.runtime.durations import format_duration

log = logging.getLogger(__name__)

EVERY = 60.0  # seconds


@contextmanager
def progress_of(path: Path, total: int) -> Iterator[Callable[[], object]]:
    """What to call after each picture of a film. total: pictures that it has; 0 if that is not known."""
    if sys.stderr.isatty():
        with tqdm(total=total or None, unit="frame", leave=False) as bar:
            yield bar.update
    else:
        yield Lines(path, total)


class Lines:
    """lines() after each picture logs, once a minute, how many there were and how much time is left."""

    def __init__(self, path: Path, total: int) -> None:
        self.path, self.total, self.count = path, total, 0
        self.began = self.told = time.monotonic()

    def __call__(self) -> None:
        self.count += 1
        now = time.monotonic()
        if now - self.told < EVERY:
            return
        self.told = now
        left = (now - self.began) / self.count * (self.total - self.count)
        of_all = f" of {self.total} frames, about {format_duration(left)} left" if left > 0 else " frames"
        log.info("%s: %d%s", self.path, self.count, of_all)
