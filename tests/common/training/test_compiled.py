import pytest
import safetensors.torch
import torch
from torch import nn

from common.runtime.errors import UserError
from common.training.compiled import compile_network
from tests.commands import run

STAGE = "train.stages=[{crop: 32, bs: 4, epochs: 1, lr: 1e-3}]"
WORDS = ["data.valid=[0.png]", "data.crops_per_photo=4", "loss.l1=1", STAGE]
COMPACT = "model={network: spandrel, architecture: Compact, options: {num_feat: 8, num_conv: 2}}"


@pytest.mark.slow
def test_a_compiled_training_ends_as_another(photos, tmp_path):
    weights = {}
    for compiled in ("false", "true"):
        words = [f"data.path={photos}", *WORDS, COMPACT, f"train.compile={compiled}", f"output.path={tmp_path}"]
        done = run("superres.train", *words, f"output.name={compiled}")
        assert done.returncode == 0, done.stdout + done.stderr
        weights[compiled] = safetensors.torch.load_file(tmp_path / compiled / "model.safetensors")
    differences = torch.cat([(weights["true"][n] - w).abs().flatten() for n, w in weights["false"].items()])
    assert differences.median() < 1e-5
    assert differences.max() < 2e-3  # of Adam's five steps of 1e-3, where a gradient is hardly more than its rounding


@pytest.mark.slow
def test_compiled_code_that_fails_stops_the_run_with_advice(photos, tmp_path):
    """SRCNN repeats its borders, which torch 2.14 compiles to code that its own checks refuse."""
    words = [f"data.path={photos}", *WORDS, "model={network: srcnn}", f"output.path={tmp_path}", "output.name=run"]
    done = run("superres.train", *words, "train.compile=true")
    if done.returncode == 0:
        pytest.skip("this torch compiles it")
    assert done.returncode == 1
    error, advice = (line for line in done.stdout.splitlines()[-3:] if line.startswith(("error: ", "to continue: ")))
    assert error.startswith("error: the compiled network failed (AssertionError: expected size")
    assert error.endswith("); add train.compile=false")
    assert advice == f"to continue:  python -m superres.train --resume {tmp_path / 'run'}"
    assert run("superres.train", "--resume", tmp_path / "run", "train.compile=false").returncode == 0


def test_where_nothing_can_be_compiled_it_is_told(monkeypatch):
    def fail(*_):
        raise RuntimeError("No working C++ compiler found\nin any folder")

    monkeypatch.setattr(torch, "compile", fail)
    with pytest.raises(UserError, match=r"train.compile: .* for cpu \(No working C\+\+ compiler found\); leave it out"):
        compile_network(nn.Linear(1, 1), torch.device("cpu"))
