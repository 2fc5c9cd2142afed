import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.runtime import files
from common.runtime.errors import UserError, WriteError
from common.runtime.files import atomic_write, check_may_replace, os_error_reason, remove_temporary_files, side_file
from tests.commands import posix_only


@pytest.fixture
def no_pauses(monkeypatch):
    monkeypatch.setattr(files, "PAUSES", (0.0, 0.0, 0.0))


def refuse_to_replace(monkeypatch, times):
    """os.replace, which says as often that another program holds the file open. Returns the list of tries."""
    tries, replace = [], Path.replace

    def refuse(self, target):
        tries.append(target)
        if len(tries) <= times:
            raise PermissionError(13, "Permission denied", str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    return tries


def test_a_disk_that_refuses_is_named_whatever_library_says_it(tmp_path):
    assert os_error_reason(OSError(28, "anything")) == "No space left on device"
    assert os_error_reason(RuntimeError("Error while serializing: I/O error: quota (os error 122)")) == os.strerror(122)
    wrapped = RuntimeError("unexpected pos")
    wrapped.__context__ = OSError(28, "anything")
    assert os_error_reason(wrapped) == "No space left on device"
    assert "is the disk full?" in os_error_reason(
        RuntimeError("[enforce fail at inline_container.cc:671] . unexpected pos")
    )
    assert os_error_reason(RuntimeError("a bug")) is None
    missing = tmp_path / "missing" / "a.txt"
    refused = pytest.raises(WriteError, match=r"a.txt: cannot be written \(No such file or directory\)")
    with refused, atomic_write(missing) as temporary:
        temporary.write_text("x")


@posix_only
def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    own = files.temporary_name()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    other_machine = f".unfinished-{(int(files.machine_number(), 16) + 1) % 2**32:08x}-{ended.pid}-0123abcd.pt"
    for name in (
        own,  # of a process at work
        own.replace(f"-{os.getpid()}-", f"-{ended.pid}-") + ".pt",  # left by one that is gone
        other_machine,  # nobody here can tell
        other_machine + ".old",  # but nobody wrote to this one for two days
        ".unfinished-business.txt",
        ".lock",
        ".0123456789abcdef.png",
    ):
        (tmp_path / name).write_text("x")
    os.utime(tmp_path / f"{other_machine}.old", (0, files.time.time() - 2 * files.DAY))
    remove_temporary_files(tmp_path)
    kept = {own, other_machine, ".unfinished-business.txt", ".lock", ".0123456789abcdef.png"}
    assert {path.name for path in tmp_path.iterdir()} == kept


@posix_only
def test_leftovers_below_a_folder_are_removed_only_if_asked_for(tmp_path):
    left = tmp_path / "checkpoints" / ".unfinished-00000000-1-0123abcd.pt"
    left.parent.mkdir()
    left.write_text("x")
    os.utime(left, (0, 0))
    remove_temporary_files(tmp_path)
    assert left.exists()
    remove_temporary_files(tmp_path, below=True)
    assert not left.exists()


def test_a_file_that_another_program_holds_open_for_a_moment_is_replaced(tmp_path, monkeypatch, no_pauses):
    (tmp_path / "a.txt").write_text("old")
    tries = refuse_to_replace(monkeypatch, times=3)
    with atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert len(tries) == 4


def test_a_side_file_that_is_open_elsewhere_is_left_as_it_was_with_one_line(tmp_path, monkeypatch, no_pauses, caplog):
    path = tmp_path / "history.csv"
    path.write_text("old")
    refuse_to_replace(monkeypatch, times=20)
    for _ in range(2):
        with side_file(path), atomic_write(path) as temporary:
            temporary.write_text("new")


def test_a_file_that_stays_open_elsewhere_is_left_as_it_was(tmp_path, monkeypatch, no_pauses):
    path = tmp_path / "history.csv"
    path.write_text("old")
    refuse_to_replace(monkeypatch, times=10)
    said = r"history.csv: cannot be written \(Permission denied\): is it open in another program\?"
    with pytest.raises(WriteError, match=said), atomic_write(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@posix_only
@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_drive_that_cannot_sync_is_written_to_with_one_line(tmp_path, monkeypatch, caplog, number):
    def refuse(handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    monkeypatch.setattr(files, "said", set())
    for name in ("a.txt", "b.txt"):
        with atomic_write(tmp_path / name) as temporary:
            temporary.write_text("x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b.txt"]
    assert len(caplog.messages) == 1
    assert f"this drive does not confirm what is written ({os.strerror(number)})" in caplog.messages[0]


@posix_only
def test_a_disk_that_fails_while_it_syncs_is_an_error(tmp_path, monkeypatch):
    def fail(handle):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(WriteError, match="Input/output error"), atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_a_name_as_long_as_the_system_allows_can_be_written(tmp_path):
    path = tmp_path / f"{'写' * 83}.png"
    assert len(path.name.encode()) == 253
    with atomic_write(path) as temporary:
        temporary.write_text("x")
        assert temporary.suffix == ".png"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_files_that_exist_are_replaced_only_on_request_and_the_first_is_named(tmp_path):
    paths = [tmp_path / name for name in ("c", "b", "a")]
    check_may_replace(paths, overwrite=False)
    for path in paths[:2]:
        path.touch()
    check_may_replace(paths, overwrite=True)
    with pytest.raises(UserError, match="b and 1 more: exists; add --overwrite, or give another name with -o"):
        check_may_replace(paths, overwrite=False)
