"""Writing files so that a crash never leaves a half-written one."""

import os
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path):
    """Gives a temporary path beside `path` (same ending); on success it is synced and renamed to `path`.

    If the block raises, `path` keeps what it had and the temporary file is removed.
    """
    path = Path(path)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
