import errno
import os

import filelock
import pytest

from common.runs import lock
from common.runs.lock import lock_folder
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
