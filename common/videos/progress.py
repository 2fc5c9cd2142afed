"""How far a video is: a bar on a terminal, elsewhere a line a minute."""

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
    """What to call after each frame of a video. total: frames that it has; 0 if that is not known."""
    if sys.stderr.isatty():
        with tqdm(total=total or None, unit="frame", leave=False) as bar:
            yield bar.update
    else:
        yield Lines(path, total)


@contextmanager
def each_message_once(*loggers: str) -> Iterator[None]:
    """Within it these loggers say each of their messages once: what happens to one frame happens to the next."""
    seen: set[object] = set()

    def is_new(record: logging.LogRecord) -> bool:
        return record.msg not in seen and seen.add(record.msg) is None

    try:
        for name in loggers:
            logging.getLogger(name).addFilter(is_new)
        yield
    finally:
        for name in loggers:
            logging.getLogger(name).removeFilter(is_new)


class Lines:
    """lines() after each frame logs, once a minute, how many there were and how much time is left."""

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
