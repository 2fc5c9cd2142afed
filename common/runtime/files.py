"""Writing files so that a crash never leaves a half-written one."""

import errno
import json
import logging
import os
import re
import secrets
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from platform import node
from typing import Any

from common.runtime.errors import UserError, WriteError

log = logging.getLogger(__name__)

# What drives answer to a wish that they cannot fulfil: old CIFS, NFS, shared folders of virtual machines.
NOT_SUPPORTED = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOLCK}
PAUSES = (0.1, 0.3, 1.0)  # seconds between tries to replace a file that another program holds open
DAY = 24 * 60 * 60

not_written: set[Path] = set()  # files that a training does without at the moment
said: set[int] = set()  # reasons of drives that were told: once each


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path` (same ending, short name); on success it is synced and renamed to `path`.

    If the block raises, `path` keeps what it had and the temporary file is removed. Raises WriteError if the disk is
    full or refuses, or another program keeps `path` open where that counts (Windows).
    """
    path = Path(path)
    temporary = path.with_name(temporary_name() + path.suffix)
    try:
        yield temporary
        with temporary.open("r+b") as file:
            sync(file.fileno(), path)
        replace_patiently(temporary, path)
        sync_folder(path.parent)
    except Exception as error:
        if reason := os_error_reason(error):
            raise WriteError(f"{path}: cannot be written ({reason})") from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def side_file(path: Path) -> Iterator[None]:
    """For what a training can do without, such as its page: a file that cannot be written is left as it was.

    path: of the file, or of a folder of such files. A line says so, until the next one is written.
    """
    try:
        yield
        not_written.discard(path)
    except WriteError as error:
        if path not in not_written:
            log.warning("skipped %s; the training goes on", error)
        not_written.add(path)


def replace_patiently(temporary: Path, path: Path) -> None:
    """Renames; tried again for a moment where another program, such as Excel or a virus scanner, holds `path` open."""
    for pause in PAUSES:
        try:
            temporary.replace(path)
            return
        except PermissionError:
            time.sleep(pause)
    try:
        temporary.replace(path)
    except PermissionError as error:
        raise WriteError(f"{path}: cannot be written ({error.strerror}): is it open in another program?") from error


def check_can_write(folder: Path) -> None:
    """Raises UserError if nothing can be written into the folder, or into the nearest one that exists above it."""
    nearest = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"{nearest}: nothing can be written here; give another folder")


def check_may_replace(paths: Iterable[Path], overwrite: bool, otherwise: str = "give another name with -o") -> None:
    """Raises UserError if a file exists and is not to be overwritten. otherwise: what else may be done."""
    if not overwrite and (existing := sorted(path for path in paths if path.exists())):
        more = f" and {len(existing) - 1} more" * (len(existing) > 1)
        raise UserError(f"{existing[0]}{more}: exists; add --overwrite, or {otherwise}")


def temporary_name() -> str:
    """A new name, which says whose it is: .unfinished-MACHINE-PROCESS-RANDOM."""
    return f".unfinished-{machine_number()}-{os.getpid()}-{secrets.token_hex(4)}"


@cache
def machine_number() -> str:
    """Of this machine since it was started, or of this container: in it, a process's number means one process."""
    key = node()
    with suppress(OSError):  # not Linux
        key += Path("/proc/sys/kernel/random/boot_id").read_text() + str(Path("/proc/self/ns/pid").readlink())
    return f"{zlib.crc32(key.encode()):08x}"


def remove_temporary_files(folder: Path, below: bool = False) -> None:
    """Removes what processes that were killed while writing have left in `folder`, or anywhere below it.

    That is what a process of this machine has left that is gone, and what nobody wrote to for a day.
    """
    for path in folder.rglob(".unfinished-*") if below else folder.glob(".unfinished-*"):
        found = re.match(r"\.unfinished-([0-9a-f]{8})-(\d{1,9})-[0-9a-f]{8}", path.name)
        if found is None:
            continue
        try:
            is_old = time.time() - path.stat().st_mtime > DAY
            if is_old or (found[1] == machine_number() and is_gone(int(found[2]))):
                path.unlink()
        except OSError as error:  # its process has just finished, or another user's file
            log.debug("%s: %s", path, error)


def is_gone(process: int) -> bool:
    """Whether no process has this number. On Windows, where a question ends the process, False."""
    if os.name != "posix":
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False  # another user's
    return False


def sync(handle: int, path: Path) -> None:
    """Waits until the file or folder `handle` is on the disk, where the drive can tell."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in NOT_SUPPORTED:
            raise
        if error.errno not in said:
            said.add(error.errno)
            log.warning(
                "WARNING: %s: this drive does not confirm what is written (%s): a power cut may undo it",
                path, error.strerror,
            )  # fmt: skip


def sync_folder(folder: Path) -> None:
    """Makes a rename outlast a power cut, where folders can be synced (not on Windows)."""
    if os.name == "posix":
        try:
            handle = os.open(folder, os.O_RDONLY)
        except OSError:
            return  # a folder that may be written, but not read
        try:
            sync(handle, folder)
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
