"""Memory that a step frees is kept for the next step, instead of going back to the system each time."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h
LARGEST = 2**31 - 1


def keep_freed_memory():
    """Tells the C library to, on Linux with glibc; elsewhere it does nothing. For the whole process.

    A step frees and takes the same gigabytes of activations again. By default glibc hands large blocks back to Linux,
    which gives them anew page by page, each filled with zeros: a quarter of a training step on a CPU.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, LARGEST)
