"""Parts of a job side by side, each in a thread, with a few items waiting between them."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")
WAITING = 4  # items between two parts
END = object()


@contextmanager
def ahead(items: Iterable[Item], n: int = WAITING) -> Iterator[Iterator[Item]]:
    """The items, taken in a thread of their own, n of them and one more before they are asked for.

    What taking them raises is raised where they are used. At the end of the block the thread ends, too.
    """
    waiting: queue.Queue[Any] = queue.Queue(n)
    stopped = threading.Event()
    errors: list[BaseException] = []

    def put(item: object) -> None:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def take_all() -> None:
        try:
            for item in items:
                if stopped.is_set():
                    return
                put(item)
        except BaseException as error:
            errors.append(error)
        put(END)

    def used() -> Iterator[Item]:
        while (item := waiting.get()) is not END:
            yield item
        if errors:
            raise errors[0]

    thread = threading.Thread(target=take_all, daemon=True)
    thread.start()
    try:
        yield used()
    finally:
        stopped.set()
        thread.join()


@contextmanager
def behind(function: Callable[[Item], object], n: int = WAITING) -> Iterator[Callable[[Item], None]]:
    """Gives put(item), which has function(item) called in a thread of its own; at the end of the block all are done.

    put waits while n items wait. What the function raises is raised by the next put, or at the end.
    """
    waiting: queue.Queue[Any] = queue.Queue(n)
    errors: list[BaseException] = []

    def work() -> None:
        while (item := waiting.get()) is not END:
            try:
                if not errors:
                    function(item)
            except BaseException as error:
                errors.append(error)

    def put(item: Item) -> None:
        waiting.put(item)
        if errors:
            raise errors[0]

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield put
    finally:
        waiting.put(END)
        thread.join()
    if errors:
        raise errors[0]
