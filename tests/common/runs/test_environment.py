import shutil
import subprocess

import pytest

from common.runs.environment import git_commit


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
