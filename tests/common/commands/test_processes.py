"""Photos shared among processes, as torch's launcher starts them."""

import socket

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.commands import CAN_FORK, Command, posix_only, run
from tests.common.commands.models import write_model

pytestmark = [posix_only, pytest.mark.slow, pytest.mark.skipif(not CAN_FORK, reason="needs tests.commands.Command")]


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "model.safetensors")


def run_two(module, *arguments):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    commands = [Command(module, *arguments, together=True, **group, RANK=rank, LOCAL_RANK=rank) for rank in "01"]
    return [command.wait() for command in commands]


def test_two_processes_predict_half_of_the_photos_each(model, photos, tmp_path):
    (photos / "broken.png").write_bytes(b"no photo")
    words = model, photos, "--device", "cpu"
    assert run("superres.predict", *words, "-o", tmp_path / "one").returncode == 1
    main, other = run_two("superres.predict", *words, "-o", tmp_path / "two")
    for name in [f"{i}.png" for i in range(6)]:
        pixels = [np.asarray(Image.open(tmp_path / folder / name)) for folder in ("one", "two")]
        assert np.array_equal(*pixels)
    assert "6 of 7 made by 2 processes" in main.stdout
    assert [command.stdout.count("160 x 144") for command in (main, other)] == [3, 0]  # the other only tells errors
    assert "broken.png" in main.stdout + other.stdout
    assert sorted([main.returncode, other.returncode]) == [0, 1]
    (tmp_path / "two/3.png").unlink()  # as if a process had died before it
    run_two("superres.predict", *words, "-o", tmp_path / "two", "--skip-existing")
    assert (tmp_path / "two/3.png").exists()
    main, other = run_two("superres.predict", *words, "-o", tmp_path / "two")
    assert (main.returncode, other.returncode) == (2, 2)  # they exist
    assert "add --overwrite" in main.stdout


def test_two_processes_measure_as_one_does(model, photos, tmp_path):
    words = model, "--data", photos, "--device", "cpu"
    assert run("superres.evaluate", *words, "-o", tmp_path / "one").returncode == 0
    main, other = run_two("superres.evaluate", *words, "-o", tmp_path / "two")
    assert (main.returncode, other.returncode) == (0, 0), main.stdout + other.stdout
    assert "average of 6" in main.stdout
    assert "average" not in other.stdout
    tables = [pd.read_csv(tmp_path / folder / "results.csv") for folder in ("one", "two")]
    pd.testing.assert_frame_equal(*tables)
    pictures = [np.asarray(Image.open(tmp_path / folder / "comparison.png")) for folder in ("one", "two")]
    assert np.array_equal(*pictures)
    assert (tmp_path / "two/report.html").exists()
