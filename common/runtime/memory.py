"""Memory that a step frees is kept for the next step, instead of going back to the system each time."""

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

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


def machine_memory(root: Path = Path("/")) -> int | None:
    """Bytes of memory of this machine, or of this container if it has fewer; None where the system does not tell.

    root: the folder that holds proc and sys.
    """
    known = {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= set(getattr(os, "sysconf_names", ()))  # not on Windows
    machine = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")] if known else []
    return min([*machine, *container_limits(root)], default=None)


def container_limits(root: Path) -> Iterator[int]:
    """Bytes that this process's control groups may have, of version 1 or 2, and those groups that they are in."""
    for line in read_text(root / "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            top, name = root / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            top, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        folder = top / group.lstrip("/")  # which a container may not see; its own limit is in `top` then
        for at in (folder, *folder.parents):
            if at.is_relative_to(top) and (limit := read_text(at / name).strip()).isdigit():  # else 'max'
                yield int(limit)


def read_text(path: Path) -> str:
    """The text of a file, empty if it cannot be read."""
    try:
        return path.read_text()
    except OSError:
        return ""


def peak_memory() -> str | None:
    """The most that this process has held so far, as text, or None where the system does not tell."""
    parts: list[str] = []
    if find_spec("resource") is not None:  # not on Windows
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        parts.append(f"{peak / (1e9 if sys.platform == 'darwin' else 1e6):.1f} GB")  # bytes there, kB elsewhere
    if peak := peak_accelerator_memory():
        parts.append(f"{peak / 1e9:.1f} GB of the GPU")
    return ", ".join(parts) or None


def peak_accelerator_memory() -> int:
    """The most bytes that this process has held on an accelerator so far; 0 if none, or none that counts (Apple's)."""
    torch = sys.modules.get("torch")  # not imported for this alone
    if torch is None or not torch.accelerator.is_available():
        return 0
    accelerator = torch.get_device_module(torch.accelerator.current_accelerator())
    peak = getattr(accelerator, "max_memory_allocated", lambda device: 0)
    return max(map(peak, range(accelerator.device_count())))  # of the one that it uses: the others have 0
