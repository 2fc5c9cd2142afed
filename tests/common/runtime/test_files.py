import os

import pytest

from common.runtime.errors import WriteError
from common.runtime.files import atomic_write, os_error_reason, remove_temporary_files


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


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    for name in (".0123456789abcdef.pt", ".lock", ".hidden", "0123456789abcdef.pt"):
        (tmp_path / name).write_text("x")
    remove_temporary_files(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", ".lock", "0123456789abcdef.pt"]


def test_a_name_as_long_as_the_system_allows_can_be_written(tmp_path):
    path = tmp_path / f"{'写' * 83}.png"
    assert len(path.name.encode()) == 253
    with atomic_write(path) as temporary:
        temporary.write_text("x")
        assert temporary.suffix == ".png"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
