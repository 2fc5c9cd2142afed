"""Videos on the command lines of the tasks."""

import os
import signal
import time

import pandas as pd
import pytest
from PIL import Image

from common.config.yaml_file import load_config
from tests.commands import Command, posix_only, run_here
from tests.videos import frames_of, pan, sound_of, write_video

pytestmark = pytest.mark.slow

STAGES = "train.stages=[{crop: 32, bs: 1, epochs: 1, lr: 1e-3}]"


def save_superres(path):
    from superres.config import Config
    from superres.files import save_model
    from superres.network import get_model

    config = load_config(Config, None, ["model={network: srcnn}", "loss.l1=1", STAGES])
    save_model(path, get_model(config.model, 2), config)
    return path


def save_colorizer(path):
    from colorize.config import Config
    from colorize.files import save_model
    from colorize.network import get_model

    words = ["model.encoder=resnet18", "model.pretrained=false", "model.norm=none", "loss.l1=1", STAGES]
    config = load_config(Config, None, words)
    save_model(path, get_model(config.model, 32), config)
    return path


def save_stylizer(path):
    from styletransfer.config import Config
    from styletransfer.files import save_model
    from styletransfer.network import get_model

    gram = "loss.gram={weight: 1, layers: {relu1_2: 1}}"
    config = load_config(Config, None, ["model={johnson: {width: 4}}", gram, STAGES])
    save_model(path, get_model(config.model), config)
    return path


@pytest.mark.parametrize(
    ("task", "save", "scale"),
    [("superres", save_superres, 2), ("colorize", save_colorizer, 1), ("styletransfer", save_stylizer, 1)],
)
def test_each_task_takes_videos_among_photos(task, save, scale, tmp_path, caplog):
    folder = tmp_path / "in"
    (folder / "videos").mkdir(parents=True)
    Image.fromarray(pan(1)[0]).save(folder / "a.png")
    write_video(folder / "videos/a.mp4", pan(12), sound=True)
    (folder / "broken.mov").write_bytes(b"\x00" * 500)
    model = save(tmp_path / "model.safetensors")
    assert run_here(f"{task}.predict", model, folder, "-o", tmp_path / "out") == 1
    assert "broken.mov: cannot be opened as a video; is it cut off?" in caplog.text
    result = tmp_path / "out/videos/a.mp4"
    written = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.[mp]*"))
    assert written == ["a.png", "videos/a.mp4"]
    assert (len(frames_of(result)), frames_of(result)[0].width) == (12, scale * 64)
    assert sound_of(result) == sound_of(folder / "videos/a.mp4")
    assert not run_here(f"{task}.evaluate", model, "--data", folder / "videos/a.mp4", "-o", tmp_path / "measured")
    table = pd.read_csv(tmp_path / "measured/flicker.csv", index_col="result")
    assert list(table.index) == ["video", "plain", "steady"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["photo.png", "-o", "out", "--codec", "h264"], "--codec: only for videos, and there is none"),
        (["photo.png", "-o", "out", "--steady", "0.5"], "--steady: only for videos, and there is none"),
        (["photo.png", "-o", "out.mp4"], "photo.png is no video; give a name that fits"),
        (["video.mp4", "-o", "out.png"], "video.mp4 is a video; give a name that fits"),
    ],
)
def test_options_that_do_not_fit_are_told(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    save_superres(tmp_path / "model.safetensors")
    Image.new("RGB", (32, 32)).save("photo.png")
    write_video(tmp_path / "video.mp4", pan(2))
    assert run_here("superres.predict", "model.safetensors", *words) == 2
    assert message in capsys.readouterr().err


def test_steady_is_refused_for_photos(tmp_path, capsys):
    save_superres(tmp_path / "model.safetensors")
    Image.new("RGB", (32, 32)).save(tmp_path / "photo.png")
    words = [tmp_path / "model.safetensors", "--data", tmp_path, "--steady", "0.5"]
    assert run_here("superres.evaluate", *words) == 2
    assert "--steady: only for a video as --data" in capsys.readouterr().err


@posix_only
def test_ctrl_c_leaves_a_video_that_plays(tmp_path):
    video = write_video(tmp_path / "video.mp4", pan(400), sound=True)
    model, out = save_superres(tmp_path / "model.safetensors"), tmp_path / "out"
    process = Command("superres.predict", model, video, "-o", out, together=True)
    deadline = time.monotonic() + 120
    while not any(path.stat().st_size > 2000 for path in out.glob(".*.mp4")):
        assert process.returncode is None and time.monotonic() < deadline, process.stdout
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    printed = process.wait().stdout
    assert process.returncode == 130, printed
    assert "video.part.mp4 has these, and plays" in printed
    assert [path.name for path in out.glob("*.mp4")] == ["video.part.mp4"]
    assert not list(out.glob(".*.mp4"))
    assert 0 < len(frames_of(out / "video.part.mp4")) < 400
