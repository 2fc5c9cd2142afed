import shutil
import subprocess

import pytest
import torch

from common.config.sections import StageConfig, TrainConfig
from common.runs.environment import git_commit, recorded_precision
from common.runtime.files import write_json


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


@pytest.mark.parametrize(
    ("starts", "asked", "device", "precision"),
    [
        ([("cpu (2 threads)", "bf16")], "auto", "cpu", "bf16"),
        ([("cpu (2 threads)", "bf16"), ("NVIDIA H200", "fp16")], "auto", "cpu", "bf16"),
        ([("cpu (2 threads)", "bf16")], "fp32", "cpu", "fp32"),
        ([("cpu (2 threads)", "bf16")], "auto", "cuda", "auto"),
        ([("NVIDIA H200", "fp16")], "auto", "cpu", "auto"),
        (None, "auto", "cpu", "auto"),
    ],
)
def test_a_run_that_goes_on_keeps_what_its_first_trial_found(tmp_path, starts, asked, device, precision):
    if starts is not None:
        found = [{"device": name, "precision": precision} for name, precision in starts]
        write_json(tmp_path / "environment.json", found)
    train = TrainConfig(stages=[StageConfig(crop=32, bs=1, epochs=1, lr=1e-3)], precision=asked)
    assert recorded_precision(tmp_path, train, torch.device(device)) == precision
