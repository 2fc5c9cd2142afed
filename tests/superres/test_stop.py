"""Real trainings, stopped in every way, that must end as one that was never stopped."""

import os
import random
import shutil
import signal
import socket
import time

import pandas as pd
import pytest
from PIL import Image

from tests.commands import Command, posix_only, run

pytestmark = pytest.mark.slow

TINY = """
data: {path: PHOTOS, valid: [0.png, 1.png], crops_per_photo: 6, degrade: heavy}
model: {encoder: resnet18, pretrained: false, norm: NORM}
loss: {l1: 1, ssim: 0.1}
train:
  workers: 0
  ema: 0.9
  device: cpu
  checkpoint_minutes: 0.003
  stages: [{crop: 32, bs: 4, epochs: 2, lr: 1e-3}, {crop: 64, bs: 4, epochs: 1, lr: [1e-4, 1e-3]}]
output: {path: FOLDER, name: never_stopped}
"""
WEIGHTS = ("model.safetensors", "checkpoints/best.safetensors", "checkpoints/last.safetensors")


def write_config(folder, norm="spectral"):
    from common.batches.folders import sample_photos

    (folder / "photos").mkdir()
    for i, path in enumerate(sample_photos()[:6]):
        Image.open(path).convert("RGB").crop((100, 100, 180, 172)).save(folder / "photos" / f"{i}.png")
    text = TINY.replace("PHOTOS", str(folder / "photos")).replace("FOLDER", str(folder)).replace("NORM", norm)
    (folder / "tiny.yaml").write_text(text)
    return folder / "tiny.yaml"


def train(*arguments, until="run folder:"):
    """Starts a training; returns the command once it has printed a line that starts with `until`."""
    command = Command("superres.train", *arguments, together=True)
    command.wait_for(until)
    return command


def train_two(*arguments):
    """Starts a training in two processes, as torch's launcher does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return [Command("superres.train", *arguments, together=True, **group, RANK=rank, LOCAL_RANK=rank) for rank in "01"]


def end(command):
    """Waits for its end; everything that it printed."""
    printed = command.wait().stdout
    print(printed)  # for pytest to show when a test fails
    return printed


def history(folder):
    return pd.read_csv(folder / "history.csv").drop(columns="seconds")


def assert_same(folder, expected):
    for name in WEIGHTS:
        assert (folder / name).read_bytes() == (expected / name).read_bytes(), name
    pd.testing.assert_frame_equal(history(folder), history(expected), check_exact=True)
    assert [path.name for path in folder.rglob(".*")] == [".lock"]  # nothing is left by a process that was killed
    assert len(list((folder / "pictures").iterdir())) == 3
    assert (folder / "results.csv").read_bytes() == (expected / "results.csv").read_bytes()


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """(config file, the folder of a run that was never stopped, the seconds that it took)."""
    config = write_config(tmp_path_factory.mktemp("stop"))
    process = train(config)
    started = time.monotonic()
    printed = end(process)
    assert process.returncode == 0, printed
    return config, config.parent / "never_stopped", time.monotonic() - started


@posix_only
def test_killed_at_three_random_moments_it_ends_with_the_same_bytes(reference, tmp_path):
    config, expected, seconds = reference
    moments = random.Random(0)
    process = train(config, f"output.path={tmp_path}", "output.name=run")
    for _ in range(3):
        delay = moments.uniform(0, seconds / 4)
        print(f"kill -9 after {delay:.3f} s")
        time.sleep(delay)
        assert process.returncode is None, "it is faster than the one it is compared with"
        os.killpg(process.pid, signal.SIGKILL)
        end(process)
        process = train("--resume", tmp_path / "run", "train.workers=1")  # which may change, and changes nothing
    end(process)
    assert process.returncode == 0
    assert_same(tmp_path / "run", expected)


@posix_only
def test_stopped_by_ctrl_c_and_then_by_a_full_disk_it_ends_with_the_same_bytes(reference, tmp_path):
    config, expected, _ = reference
    # Saved so seldom that what is found again is what Ctrl-C saved.
    process = train(config, f"output.path={tmp_path}", "output.name=run", "train.checkpoint_minutes=9", until="epoch 1")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of the group
    printed = end(process)
    assert process.returncode == 130
    assert "stopping after this step" in printed
    assert printed.splitlines()[-1] == f"to continue:  python -m superres.train --resume {tmp_path / 'run'}"
    assert "Traceback" not in printed
    page = (tmp_path / "run/report.html").read_text()
    assert "superres · stopped " in page
    assert "location.reload" not in page  # nothing more will come

    checkpoint = tmp_path / "run/checkpoints/resume.pt"
    saved = checkpoint.read_bytes()
    done = run("tests.limited", len(saved) * 9 // 10, "superres.train", "--resume", tmp_path / "run")
    assert done.returncode == 1, done.stdout + done.stderr
    error, advice = done.stdout.splitlines()[-2:]
    assert error == f"error: {checkpoint}: cannot be written (File too large); what was saved before is intact"
    assert advice.endswith(f"--resume {tmp_path / 'run'}")
    assert checkpoint.read_bytes() == saved

    done = run("tests.terminal", "superres.train", "--resume", tmp_path / "run")
    assert done.returncode == 0, done.stdout
    assert "continues in train.stages.0, after 1 epochs and" in done.stdout
    assert_same(tmp_path / "run", expected)


@posix_only
def test_a_folder_that_vanishes_ends_the_run_with_the_line_that_continues_it(tmp_path):
    config = write_config(tmp_path, norm="none")
    long = ["train.workers=2", "train.stages=[{crop: 32, bs: 4, epochs: 500, lr: 1e-3}]", "output.name=run"]
    process = train(config, *long, until="epoch 1")
    shutil.rmtree(tmp_path / "photos")
    printed = end(process)  # workers that wait for work must not keep the program
    assert process.returncode == 2
    assert "Traceback" not in printed
    error, advice = printed.splitlines()[-2:]
    assert error == "error: none of the training photos can be read any more"
    assert advice == f"to continue:  python -m superres.train --resume {tmp_path / 'run'}"


def test_two_processes_train_as_one_with_the_same_batch(tmp_path):
    """Stopped in between, too. A small learning rate: Adam makes large steps of the noise in tiny gradients."""
    config = write_config(tmp_path, norm="weight")
    slow = ["data.degrade=clean", "data.crops_per_photo=3", "train.stages=[{crop: 32, bs: 4, epochs: 2, lr: 1e-5}]"]
    alone = run("superres.train", config, *slow, "output.name=one")
    assert alone.returncode == 0, alone.stderr
    first, second = train_two(config, *slow, "output.name=two")
    first.wait_for("epoch 1")
    for process in (first, second):
        os.kill(process.pid, signal.SIGINT)
    printed = end(first) + end(second)
    assert printed.count("to continue:  python -m superres.train --resume") == 1
    first, second = train_two("--resume", tmp_path / "two")
    printed = end(first) + end(second)
    assert (first.returncode, second.returncode) == (0, 0)
    assert printed.count("epoch 2/2") == 1, "only the first process speaks"
    pd.testing.assert_frame_equal(history(tmp_path / "two"), history(tmp_path / "one"), rtol=1e-4)
    results = [pd.read_csv(tmp_path / name / "results.csv") for name in ("one", "two")]
    results = [table.drop(columns=[name for name in table if "grid" in name]) for table in results]  # of rounding, too
    pd.testing.assert_frame_equal(*results, rtol=1e-4)
    assert len((tmp_path / "two/log.txt").read_text().split("epoch 2/2")) == 2
