"""Memory that runs out: how to tell, and how to go on with less."""

import logging
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from common.runtime.accelerator import free_memory
from common.runtime.errors import UserError

log = logging.getLogger(__name__)

Result = TypeVar("Result")

# In the words of C++, of torch's allocators and of CUDA's libraries. cuDNN says the last four where no memory is left
# to try out its convolutions.
OUT_OF_MEMORY = (
    "bad_alloc",
    "out of memory",
    "ALLOC_FAILED",
    "can't allocate memory",
    "Failed to allocate memory",  # onnxruntime
    "unable to find an engine",  # GET was, or FIND was
    "Unable to find a valid cuDNN algorithm",
    "No valid engine configs",
    "no valid convolution algorithms available in CuDNN",
)
# In torch's: of a loading process that the system has killed, or that had no room for its batch in shared memory.
LOST_WORKER = ("DataLoader worker (pid", "</torch_")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a GPU or the machine ran out of memory."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(word in str(error) for word in OUT_OF_MEMORY)


def first_that_fits(ways: Iterable[tuple[str, Callable[[], Result]]], hint: str = "") -> Result:
    """What the first of `ways` returns for which memory suffices. A line says each time that another one is taken.

    ways: (what it works on, for the message; the work), each with less than the one before. hint: ends the line. Raises
    MemoryError if memory suffices for none.
    """
    failed = ""
    for name, work in ways:
        if failed:
            log.warning("not enough memory for %s: continuing with %s%s", failed, name, hint)
            free_memory()
        try:
            return work()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        failed = name
    raise MemoryError(f"not enough memory for {failed}")


@contextmanager
def out_of_memory_is_user_error(setting: str) -> Iterator[None]:
    """Turns running out of memory into a UserError.

    setting: what the user gave for the side of the picture, such as '--size 512'.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(f"{setting}: does not fit into memory; half that size needs a quarter of it") from error


def lost_worker_advice(error: BaseException) -> str | None:
    """What to change when a loading process has ended, or None if that is not what the error says."""
    if not any(word in str(error) for word in LOST_WORKER):
        return None
    return (
        f"a process that loads photos has ended ({textwrap.shorten(str(error), 200)}). In a container, /dev/shm may be "
        "too small: start it with --shm-size=8g or --ipc=host. Or the machine's memory is full. Fewer loading processes"
        " need less of both: train.workers=2, or 0. On resume train.workers may change"
    )
