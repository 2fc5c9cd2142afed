"""benchmarks.gpu, which must run to its end in the few minutes that a GPU is at hand: tried on the CPU."""

import io
import json
import tarfile

import pytest
from PIL import Image

import superres
from benchmarks import gpu
from common.batches.folders import sample_photos
from tests.commands import CAN_FORK, Command, posix_only


def call(words, seconds, log):
    """As `gpu.call`, with a process that has imported everything."""
    command = Command(*words, together=True)
    try:
        command.wait(seconds)
    except TimeoutError:
        return None
    finally:
        log.write_text(command.stdout)
    return command.returncode


@pytest.fixture
def large_photos(tmp_path):
    folder = tmp_path / "large"
    folder.mkdir()
    for i, path in enumerate(sample_photos()[:4]):
        Image.open(path).convert("RGB").resize((160, 128)).save(folder / f"{i}.png")
    return folder


@posix_only
@pytest.mark.slow
@pytest.mark.skipif(not CAN_FORK, reason="each part would import torch anew")
def test_it_runs_to_its_end_on_a_cpu(large_photos, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gpu, "call", call)
    monkeypatch.setattr(gpu, "START", 1e9)  # so each training is given a second
    out = tmp_path / "out"
    words = ["--data", large_photos, "--vgg", "random", "--test", large_photos, "-o", out, "--device", "cpu"]
    monkeypatch.setattr("sys.argv", ["gpu", *map(str, words), "--minutes", "30"])  # which it does not take
    assert gpu.main() == 0, capsys.readouterr().out
    found = json.loads((out / "gpu.json").read_text())
    assert [(part["name"], part["status"]) for part in found["parts"]] == [
        (name, "done")
        for name in (
            "steps and photos in every precision",
            "loader",
            *(f"train {run}" for run in ("superres_2x", "superres_4x", "colorize", "styletransfer_johnson")),
            *(f"superres_{scale}x on large" for scale in (2, 4)),
        )
    ]
    trained = found["parts"][2]["figures"]
    assert {"precision", "epochs", "valid_loss", "prediction PSNR-Y"} <= set(trained)
    page = (out / "gpu.md").read_text()
    assert "| ours, bf16 | " in page
    assert "| light, fp32 | 256 x 256 | " in page
    with tarfile.open(out / "more.tar") as tar:
        names = tar.getnames()
    assert {"loader.log", "superres_2x_comparison.jpg", "colorize_comparison.jpg"} <= set(names)
    parts = sorted(out.glob("models.tar.*"))
    with tarfile.open(fileobj=io.BytesIO(b"".join(part.read_bytes() for part in parts))) as tar:
        tar.extractall(tmp_path / "models", filter="data")
    model = superres.load(tmp_path / "models/superres_2x.safetensors")
    assert model(large_photos / "0.png").size == (320, 256)


def test_a_part_that_fails_or_takes_too_long_stops_no_other(tmp_path, monkeypatch):
    made = [gpu.Part(name, [name], 1) for name in ("good", "bad", "slow", "last")]
    monkeypatch.setattr(gpu, "plan_parts", lambda *_: iter(made))
    codes = {"good": 0, "bad": 3, "slow": None, "last": 0}
    given = []

    def call(words, seconds, log):
        given.append(round(seconds))
        log.write_text("| a | b |\n" if words[0] == "good" else "error: no\n")
        return codes[words[0]]

    monkeypatch.setattr(gpu, "call", call)
    monkeypatch.setattr(
        "sys.argv", ["gpu", "--data", "x", "-o", str(tmp_path / "out"), "--minutes", "2", "--device", "cpu"]
    )
    assert gpu.main() == 1
    page = (tmp_path / "out/gpu.md").read_text()
    assert [f"| {name} | {status} |" in page for name, status in (
        ("good", "done"), ("bad", "ended with 3"), ("slow", "out of time"), ("last", "done"),
    )] == [True] * 4  # fmt: skip
    assert "| a | b |" in page
    assert "error: no" in page
    assert given == [30, 40, 60, 120]  # time that is left over goes to the others


def test_a_command_is_stopped_with_all_that_it_started(tmp_path):
    assert gpu.call(["this.module.is.not.there"], 30, tmp_path / "log") == 1
    assert gpu.call(["http.server", "0", "--bind", "127.0.0.1"], 0.5, tmp_path / "log") is None
