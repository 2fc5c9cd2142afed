"""One process a run folder."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from common.runtime.errors import UserError
from common.runtime.files import NOT_SUPPORTED

log = logging.getLogger(__name__)

held_locks: dict[Path, BaseFileLock] = {}  # of run folders; kept here, as a lock that is collected is released


def lock_folder(folder: Path) -> None:
    """Keeps other processes out of a run folder until `unlock_folder`, or until this one ends, however it ends.

    Raises UserError if another process is in it.
    """
    lock = FileLock(folder / ".lock", blocking=False, is_singleton=True)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"{folder}: another process is working in it") from None
    except OSError as error:
        if error.errno not in NOT_SUPPORTED:
            raise UserError(f"{folder}: nothing can be written here ({error.strerror})") from None
        log.warning(
            "WARNING: %s: this drive has no locks (%s): take care that no other process trains in the same folder",
            folder, error.strerror,
        )  # fmt: skip
        return
    held_locks[folder] = lock


def unlock_folder(folder: Path) -> None:
    """Lets other processes into a run folder again, if this one had locked it."""
    if folder in held_locks:
        held_locks.pop(folder).release(force=True)  # it counts how often this process has locked it


@contextmanager
def unlocked_after_an_error(folder: Path) -> Iterator[None]:
    """Unlocks the folder if what is done within does not succeed."""
    try:
        yield
    except BaseException:
        unlock_folder(folder)
        raise
