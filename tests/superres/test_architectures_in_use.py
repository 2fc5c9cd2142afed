"""What trains, exports and runs spandrel's architectures."""

import numpy as np
import pytest
import torch

from common.batches.folders import PhotoSplit
from common.runs.prepare import prepare
from common.runtime.errors import UserError
from common.runtime.precision import choose_precision
from superres.bicubic import resize_bicubic
from superres.files import save_model
from superres.network import get_model
from superres.spandrel_export import export_spandrel
from superres.task import TASK
from tests.commands import run_here
from tests.superres.test_architectures import SMALL, config_of


def test_half_precision_asked_for_in_vain_is_told_before_a_training_and_before_a_study(
    photos, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("superres.architectures.precisions_of", lambda descriptor: set())
    (tmp_path / "base.yaml").write_text(
        "model: {network: spandrel, architecture: SAFMN, options: {dim: 8}}\nloss: {l1: 1}\n"
        "train: {precision: bf16, stages: [{crop: 32, bs: 2, epochs: 1, lr: 1e-3}]}\n"
    )
    (tmp_path / "study.yaml").write_text("base: base.yaml\nvariants: {a: {train.precision: fp32}, b: {}}\n")
    for words in (["superres.train", tmp_path / "base.yaml"], ["superres.compare", tmp_path / "study.yaml"]):
        assert run_here(*words, f"data.path={photos}", f"output.path={tmp_path / 'runs'}") == 2
        assert "error: train.precision = bf16: this network is not known to work in it" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("name", "precision"), [("SAFMN", "fp32"), ("Compact", "fp16")])
def test_auto_on_a_gpu_is_a_precision_that_the_architecture_works_in(name, precision, monkeypatch):
    monkeypatch.setattr("common.runs.prepare.processes.join", lambda name: torch.device("cuda"))
    config, _, device = prepare(TASK, config_of(name, SMALL[name]), photos=PhotoSplit([], []))
    model = get_model(config.model, config.data.scale)
    assert choose_precision(config.train.precision, device, model, "train.precision =") == precision
    assert config.train.precision == "auto"  # as --resume reads what the run has saved


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SPAN", pytest.param("SAFMN", marks=pytest.mark.every)])
def test_an_onnx_file_enlarges_any_photo_as_the_model_does(name, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    config, image = config_of(name, SMALL[name]), torch.rand(1, 3, 37, 150)
    model = get_model(config.model, 2).eval()
    save_model(tmp_path / "model.safetensors", model, config)
    assert not run_here("superres.export", tmp_path / "model.safetensors", "-o", tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    with torch.inference_mode():
        expected = model(image).clamp(0, 1).numpy()
    np.testing.assert_allclose(session.run(["result"], {"image": image.numpy()})[0], expected, atol=1e-4, rtol=0)


@pytest.mark.slow
def test_an_architecture_that_no_onnx_file_can_hold_is_refused(tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    config = config_of("SwinIR", SMALL["SwinIR"])  # it counts its windows in Python, so a file fits one size alone
    save_model(tmp_path / "model.safetensors", get_model(config.model, 2), config)
    assert run_here("superres.export", tmp_path / "model.safetensors", "-o", tmp_path / "model.onnx") == 2
    assert "this model cannot be written as ONNX (" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_on_bicubic_it_is_bicubic_at_first_and_no_file_for_others(tmp_path):
    model = get_model(config_of("SPAN", {"feature_channels": 8}, **{"model.on_bicubic": "true"}).model, 2)
    low = torch.rand(1, 3, 21, 34)
    for mode in (model.train(), model.eval()):
        torch.testing.assert_close(mode(low), resize_bicubic(low, 2), atol=1e-7, rtol=0)
    with pytest.raises(UserError, match="adds to bicubic"):
        export_spandrel(tmp_path / "plain.safetensors", model)
    assert list(tmp_path.iterdir()) == []


def test_half_precision_is_used_only_where_spandrel_knows_that_it_works():
    seen = {}
    for name in ("SAFMN", "Compact"):
        model = get_model(config_of(name, SMALL[name]).model, 2)
        convolution = next(module for module in model.modules() if isinstance(module, torch.nn.Conv2d))
        convolution.register_forward_hook(lambda module, inputs, out, key=name: seen.update({key: out.dtype}))
        model.unet.precisions.discard(torch.bfloat16) if name == "SAFMN" else None
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert model(torch.rand(1, 3, 16, 16)).dtype == torch.float32
    assert seen == {"SAFMN": torch.float32, "Compact": torch.bfloat16}
