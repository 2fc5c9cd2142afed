import errno
import os

import filelock
import pytest

from common.runs import lock
from common.runs.lock import lock_folder, unlock_folder, unlocked_after_an_error
from common.runtime.errors import UserError


def refuse_locks(monkeypatch, number):
    def refuse(self):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(filelock.FileLock, "_acquire", refuse)
    monkeypatch.setattr(lock, "held_locks", {})


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_drive_without_locks_is_trained_on_with_a_line(tmp_path, monkeypatch, caplog, number):
    refuse_locks(monkeypatch, number)
    lock_folder(tmp_path)
    assert caplog.messages == [
        f"WARNING: {tmp_path}: this drive has no locks ({os.strerror(number)}): take care that no other process "
        "trains in the same folder"
    ]


def test_a_folder_whose_lock_cannot_be_written_is_a_users_error(tmp_path, monkeypatch):
    refuse_locks(monkeypatch, errno.EROFS)
    with pytest.raises(UserError, match=r"nothing can be written here \(Read-only file system\)"):
        lock_folder(tmp_path)


def can_lock(folder):
    """Whether another process could."""
    try:
        with filelock.FileLock(folder / ".lock", blocking=False):
            return True
    except filelock.Timeout:
        return False


def test_what_fails_in_a_locked_folder_unlocks_it(tmp_path):
    lock_folder(tmp_path)
    with unlocked_after_an_error(tmp_path):
        assert not can_lock(tmp_path)
    assert not can_lock(tmp_path)
    with pytest.raises(KeyboardInterrupt), unlocked_after_an_error(tmp_path):
        raise KeyboardInterrupt
    assert can_lock(tmp_path)


def test_a_folder_locked_twice_is_unlocked_at_once(tmp_path):
    lock_folder(tmp_path)
    lock_folder(tmp_path)
    unlock_folder(tmp_path)
    assert can_lock(tmp_path)
