"""Which device to compute on, and what it means when its memory runs out."""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from common.runtime.errors import UserError


def get_device(name: str = "auto") -> torch.device:
    """'auto' -> the accelerator if there is one, else the CPU; other names as torch knows them.

    Raises UserError if the device is not available.
    """
    if name == "auto":
        name = best_device_name()
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"device {name}: not available here ({str(error).splitlines()[0]}); use auto or cpu") from None


def best_device_name() -> str:
    """The accelerator that torch finds on this machine ('cuda', Apple's 'mps', Intel's 'xpu'), else 'cpu'."""
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return accelerator.type if accelerator is not None else "cpu"


# In the words of torch's allocators and CUDA's libraries. cuDNN says the last four where no memory is left to try out
# its convolutions.
OUT_OF_MEMORY = (
    "out of memory",
    "ALLOC_FAILED",
    "can't allocate memory",
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


def lost_worker_advice(error: BaseException) -> str | None:
    """What to change when a loading process has ended, or None if that is not what the error says."""
    if not any(word in str(error) for word in LOST_WORKER):
        return None
    return (
        f"a process that loads photos has ended ({textwrap.shorten(str(error), 200)}). In a container, /dev/shm may be "
        "too small: start it with --shm-size=8g or --ipc=host. Or the machine's memory is full. Fewer loading processes"
        " need less of both: train.workers=2, or 0. On resume train.workers may change"
    )


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
