"""Writing files so that a crash never leaves a half-written one."""

import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.runtime.errors import UserError, WriteError


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path` (same ending, short name); on success it is synced and renamed to `path`.

    If the block raises, `path` keeps what it had and the temporary file is removed. Raises WriteError if the disk is
    full or refuses.
    """
    path = Path(path)
    temporary = path.with_name(f".{secrets.token_hex(8)}{path.suffix}")
    try:
        yield temporary
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        fsync_folder(path.parent)
    except Exception as error:
        if reason := os_error_reason(error):
            raise WriteError(f"{path}: cannot be written ({reason})") from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def check_can_write(folder: Path) -> None:
    """Raises UserError if nothing can be written into the folder, or into the nearest one that exists above it."""
    nearest = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"{nearest}: nothing can be written here; give another folder")


def remove_temporary_files(folder: Path) -> None:
    """Removes what a process that was killed while writing has left below `folder`."""
    for path in Path(folder).rglob(".*"):
        if re.fullmatch(r"\.[0-9a-f]{16}(\..*)?", path.name):
            path.unlink()


def fsync_folder(folder: Path) -> None:
    """Makes a rename outlast a power cut, where folders can be synced (not on Windows)."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def os_error_reason(error: BaseException) -> str | None:
    """What the operating system said, as text, if that is why `error` came about; else None.

    safetensors gives its number in a message only, torch raises its own error while the system's is in the context,
    or, where it writes to a path itself, keeps it.
    """
    chain = [error]
    while inner := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(inner)
    for error in chain:
        if isinstance(error, WriteError):
            return None  # it says so itself
        if isinstance(error, OSError) and error.errno:
            return os.strerror(error.errno)
        if found := re.search(r"os error (\d+)", str(error)):
            return os.strerror(int(found[1]))
    silent = any("inline_container" in str(error) or "iostream error" in str(error) for error in chain)
    return "torch does not say why: is the disk full?" if silent else None


def read_json(path: Path) -> Any:
    """What a JSON file holds. Raises UserError if the file is missing or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None


def write_json(path: Path, values: Any) -> None:
    """Writes `values` as JSON, whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(values, indent=1), encoding="utf-8")
