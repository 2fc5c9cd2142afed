"""Stopping at a good moment: the first Ctrl-C asks, the second one does not."""

import os
import signal
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Self

from common.runtime import processes

HANGUP = getattr(signal, "SIGHUP", None)  # the terminal was closed; not on Windows


def stop_signals() -> list[int]:
    """Ctrl-C, what kill, batch systems and shutdowns send, and a closed terminal's, unless `nohup` is to ignore it."""
    hangups = [HANGUP] if HANGUP is not None and signal.getsignal(HANGUP) != signal.SIG_IGN else []
    return [signal.SIGINT, signal.SIGTERM, *hangups]


@contextmanager
def delayed_interrupts() -> Iterator[None]:
    """Ctrl-C and its like within take effect at the end: fastai's bare excepts would swallow what they raise."""
    if threading.current_thread() is not threading.main_thread():  # Python's rule for signal handlers
        yield
        return
    received: list[int] = []
    previous = {number: signal.signal(number, lambda number, _: received.append(number)) for number in stop_signals()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])


class StopRequest:
    """While entered, the first Ctrl-C or its like only sets `asked` and prints a line; the next one acts as usual.

    But a closed terminal's: the system and the shell send one each.
    """

    def __init__(self) -> None:
        self.asked, self.asked_at = False, 0.0
        self.previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # Python's rule for signal handlers
            self.previous = {number: signal.signal(number, self.handle) for number in stop_signals()}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        self.previous = {}

    def handle(self, number: int, _frame: FrameType | None) -> None:
        if not self.asked:
            self.asked, self.asked_at = True, time.monotonic()
            leave_closed_terminal()
            if processes.is_main():  # with os.write, as print may not be entered twice
                os.write(2, b"\nstopping after this step; Ctrl-C again stops at once\n")
        elif number == HANGUP:
            leave_closed_terminal()
        elif processes.count() == 1 or time.monotonic() - self.asked_at > 1:  # else it is the same, from torchrun
            self.__exit__()
            signal.raise_signal(number)


def leave_closed_terminal() -> None:
    """Sends what is still printed nowhere, if it went to a terminal that is closed: there it would be an OSError."""
    for output in (1, 2):
        with suppress(OSError):  # closed by hand
            if stat.S_ISCHR(os.fstat(output).st_mode) and not os.isatty(output):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, output)
                os.close(nowhere)
