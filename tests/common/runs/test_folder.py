import errno
import os
import shutil
import subprocess

import filelock
import pytest

from common.runs.folder import git_commit, lock_folder
from common.runtime.errors import UserError
from common.training import run_folder


def git(folder, *words):
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    done = subprocess.run(["git", "-C", folder, *identity, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """Somebody's repository, with an environment in it that git ignores."""
    if shutil.which("git") is None:
        pytest.skip("no git here")
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text(".venv")
    (tmp_path / "common").mkdir()
    (tmp_path / "common/__init__.py").write_text("")
    installed = tmp_path / ".venv/site-packages/common"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "x")
    return tmp_path


def test_the_commit_is_that_of_our_own_files_not_of_a_repository_around_the_installation(repository):
    commit = git(repository, "rev-parse", "HEAD")
    assert git_commit(repository / "common") == commit
    assert git_commit(repository / ".venv/site-packages/common") is None
    (repository / "common/__init__.py").write_text("x = 1")
    assert git_commit(repository / "common") == f"{commit}-dirty"


def refuse_locks(monkeypatch, number):
    def refuse(self):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(filelock.FileLock, "_acquire", refuse)
    monkeypatch.setattr(run_folder, "held_locks", {})


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
