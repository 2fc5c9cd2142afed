"""Parts of a job side by side, each in a thread, with a few items waiting between them."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

Item = TypeVar("Item")
AHEAD = 4  # items that wait
END = object()


class Ahead(Generic[Item]):
    """An iterable that is worked through in a thread of its own, AHEAD items before they are asked for."""

    def __init__(self, items: Iterable[Item]) -> None:
        self.items, self.waiting = items, queue.Queue[Any](AHEAD)
        self.error: BaseException | None = None
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self) -> None:
        try:
            for item in self.items:
                while not self.stopped.is_set():
                    try:
                        self.waiting.put(item, timeout=0.1)
                        break
                    except queue.Full:
                        continue
                if self.stopped.is_set():
                    return
        except BaseException as error:  # raised again where the items are used
            self.error = error
        self.waiting.put(END)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        while self.thread.is_alive():
            try:
                self.waiting.get(timeout=0.1)
            except queue.Empty:
                continue

    def __iter__(self) -> Iterator[Item]:
        while (item := self.waiting.get()) is not END:
            yield item
        if self.error is not None:
            raise self.error


class Behind(Generic[Item]):
    """Calls a function with each item in a thread of its own, while the next ones are made; all are done at the end."""

    def __init__(self, function: Callable[[Item], object]) -> None:
        self.function, self.waiting = function, queue.Queue[Any](AHEAD)
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self) -> None:
        while (item := self.waiting.get()) is not END:
            if self.error is None:
                try:
                    self.function(item)
                except BaseException as error:  # raised again where the items are made
                    self.error = error

    def put(self, item: Item) -> None:
        """Waits while AHEAD items wait. Raises what the function raised."""
        self.waiting.put(item)
        if self.error is not None:
            raise self.error

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.waiting.put(END)
        self.thread.join()
        if kind is None and self.error is not None:
            raise self.error
