"""Memory that a step frees is kept for the next step, instead of going back to the system each time."""

import ctypes
import sys
from collections.abc import Callable

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h
MAX_THRESHOLD = 2**31 - 1


def keep_freed_memory() -> None:
    """Tells the C library to keep it, for the whole process: on Linux with glibc; elsewhere it does nothing.

    A step frees and takes the same gigabytes of activations again. By default glibc hands large blocks back to Linux,
    which gives them anew page by page, each filled with zeros: an eighth to a quarter of a training step on a CPU.
    """
    if mallopt := glibc_function("mallopt"):
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, MAX_THRESHOLD)


def release_freed_memory() -> None:
    """Gives it back now, before work of another size, for which what is free may be in pieces too small."""
    if trim := glibc_function("malloc_trim"):
        trim(0)


def glibc_function(name: str) -> Callable[..., int] | None:
    """A function of the C library by its name, or None where it is not glibc."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
