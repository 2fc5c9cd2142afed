"""Stopping at a good moment: the first Ctrl-C asks, the second one does not."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

from common.runtime import processes

SIGNALS = (signal.SIGINT, signal.SIGTERM)  # Ctrl-C; what kill, batch systems and shutdowns send


@contextmanager
def delayed_interrupts() -> Iterator[None]:
    """Ctrl-C and SIGTERM within take effect at the end: fastai's bare excepts would swallow what they raise."""
    if threading.current_thread() is not threading.main_thread():  # Python's rule for signal handlers
        yield
        return
    received: list[int] = []
    previous = {number: signal.signal(number, lambda number, _: received.append(number)) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])


class StopRequest:
    """While entered, the first Ctrl-C or SIGTERM only sets `asked` and prints a line; the next one acts as usual."""

    def __init__(self) -> None:
        self.asked, self.asked_at = False, 0.0
        self.previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # Python's rule for signal handlers
            self.previous = {number: signal.signal(number, self.handle) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        self.previous = {}

    def handle(self, number: int, _frame: FrameType | None) -> None:
        if not self.asked:
            self.asked, self.asked_at = True, time.monotonic()
            if processes.is_main():  # with os.write, as print may not be entered twice
                os.write(2, b"\nstopping after this step; Ctrl-C again stops at once\n")
        elif processes.count() == 1 or time.monotonic() - self.asked_at > 1:  # else it is the same, from torchrun
            self.__exit__()
            signal.raise_signal(number)
