"""The files of a page's visitors: all in one folder of our own, deleted when they leave, and some hours later at last.

A session is a name that the visitor chose. It is a key here, never a part of a path.
"""

import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

KEPT_HOURS = 3  # since the last change, for a page that stays open, and photos that were dropped and never started
SPARE_BYTES = 1e9  # of the disk; a tenth of a small one
MAX_ENTRIES = 20_000  # files and folders


class Visitors:
    """Who has the page open, and which results and uploads belong to which session."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.uploads: set[str] = set()  # gradio's own record: what came by its upload
        self.held: dict[str, set[Path]] = {}
        self.open_pages = 0
        self.lock = threading.Lock()

    @contextmanager
    def make_folder(self, session: str) -> Iterator[Path]:
        """A new folder that nobody can guess; if its visitor leaves before the end of the block, it goes as well."""
        name = f"{secrets.token_urlsafe(16)}-"  # tempfile's own names are not made to be secret
        folder = Path(tempfile.mkdtemp(prefix=name, dir=self.folder))
        self.hold(session, [folder])
        try:
            yield folder
        finally:
            if not self.holds(session, folder):
                self.delete(folder)

    def hold(self, session: str, paths: Iterable[Path]) -> None:
        """Notes what belongs to a visitor."""
        with self.lock:
            self.held.setdefault(session, set()).update(paths)

    def holds(self, session: str, path: Path) -> bool:
        """Whether something still belongs to a visitor."""
        return path in self.held.get(session, ())

    def owns(self, path: Path) -> bool:
        """Whether a path, wherever its links lead, is in our folder."""
        try:
            return self.folder in path.resolve().parents
        except (OSError, ValueError):  # too long; a null byte
            return False

    def has_room(self, size: int) -> bool:
        """Whether `size` bytes more leave some of the disk free, and there are not too many files."""
        disk = shutil.disk_usage(self.folder)
        entries = sum(len(folders) + len(files) for _, folders, files in os.walk(self.folder))
        return disk.free - size > min(SPARE_BYTES, disk.total / 10) and entries < MAX_ENTRIES

    def leave(self, session: str, moment: float) -> None:
        """Deletes what a visitor has sent and got until `moment`; after the last one also what was never started.

        gradio keeps two equal photos of one name as one: it stays as long as another visitor has it.
        """
        with self.lock:
            paths = self.held.pop(session, set())
            for path in paths.difference(*self.held.values()):
                self.delete(path)
        if not self.open_pages:
            self.sweep(moment)

    def sweep(self, moment: float) -> None:
        """Deletes what has not changed since `moment`, in seconds as of `time.time`, whoever has it."""
        with self.lock:
            for path in list(self.folder.iterdir()):
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime < moment:
                        self.delete(path)
            kept = {session: set(filter(Path.exists, paths)) for session, paths in self.held.items()}
            self.held = {session: paths for session, paths in kept.items() if paths}
            self.uploads.difference_update([path for path in list(self.uploads) if not Path(path).exists()])

    def delete(self, path: Path) -> None:
        """A folder and all in it, or a file and, of gradio's, the folder made for it; nothing that is not in ours."""
        if not self.owns(path):
            return
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
            return
        with suppress(OSError):
            path.unlink()
            if path.parent != self.folder:
                path.parent.rmdir()  # if it is empty
