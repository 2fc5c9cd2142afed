"""ONNX files: as torch says, at any size, in plain onnxruntime."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from colorize.config import ColorizeModelConfig
from colorize.network import Colorizer
from colorize.network import get_model as get_colorizer
from common.models import attention
from common.models.onnx_export import METADATA_KEY, export_onnx
from common.models.onnx_model import OnnxModel
from common.runtime.errors import UserError
from styletransfer.config import JohnsonConfig, StyleModelConfig
from styletransfer.files import save_model as save_stylizer
from styletransfer.network import get_model as get_stylizer
from superres.network import SuperResolver
from tests.commands import run, run_here

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

ODD = (37, 150)
COLORS = {"encoder": "resnet18", "pretrained": False, "norm": "none", "half": True, "vividness": 0.62}


class Small(nn.Module):
    """Stands in for the U-Net: exporting one takes half a minute."""

    def __init__(self, n_out, upscale=1):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, n_out * upscale**2, 3, padding=1), nn.PixelShuffle(upscale))

    def forward(self, x):
        return self.layers(x)


MODELS = {
    "superres": lambda: SuperResolver(Small(3, 2), 2, "after"),
    "lesson7": lambda: SuperResolver(Small(3), 4, "before"),
    "colorize": lambda: Colorizer(Small(2), 64),
    "colors": lambda: get_colorizer(ColorizeModelConfig(**COLORS), 64, (torch.eye(2) * 50, torch.ones(2))),
    "styletransfer": lambda: get_stylizer(StyleModelConfig(johnson=JohnsonConfig(width=4))),
    "noise": lambda: get_stylizer(StyleModelConfig(johnson=JohnsonConfig(width=4, noise=True))),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_file_gives_torchs_results_at_any_size(name, tmp_path):
    model, path = MODELS[name]().eval(), tmp_path / "model.onnx"
    if name == "colors":
        nn.init.normal_(model.unet.last.weight)
    image = torch.rand(1, 3, *ODD)
    with torch.inference_mode():
        expected = model(image).clamp(0, 1).numpy()
    assert export_onnx(path, model, {"task": name, "scale": 2}).difference < 1e-3
    session = onnxruntime.InferenceSession(path)
    result = session.run(["result"], {"image": image.numpy()})[0]
    assert result.shape == expected.shape
    assert abs(result - expected).max() < 1 / 255
    values = json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
    assert values["task"] == name and values["scale"] == 2 and "version" in values


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "opset", "ir"),
    [("superres", 18, 8), ("colorize", 20, 9), ("superres", 21, 10)],
)
def test_axes_have_names_and_the_file_says_the_oldest_onnxruntime_that_opens_it(name, opset, ir, tmp_path):
    made = export_onnx(tmp_path / "model.onnx", MODELS[name]().eval(), {"task": name}, opset=opset)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert session.get_inputs()[0].shape == [1, 3, "height", "width"]
    factor = "2*" if name == "superres" else ""
    assert session.get_outputs()[0].shape == [1, 3, f"{factor}height", f"{factor}width"]
    file = onnx.load(tmp_path / "model.onnx")
    assert (file.ir_version, [entry.version for entry in file.opset_import]) == (ir, [opset])
    # What onnxruntime's compatibility page says of the opset; 1.14 has IR version 8, 1.17 has 9, and 1.18 has 10.
    values = json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
    oldest = {18: "1.14", 20: "1.17", 21: "1.18"}[opset]
    assert (values["opset"], values["onnxruntime"], made.opset, made.onnxruntime) == (opset, oldest, opset, oldest)


@pytest.mark.parametrize("word", ["17", "24", "new"])
def test_an_opset_that_torch_does_not_write_is_refused_before_work(word, tmp_path, capsys):
    assert run_here("superres.export", tmp_path / "none.safetensors", "-o", tmp_path / "a.onnx", "--opset", word) == 2
    rule = {"17": "17: must be 18 or more", "24": "24: must be 23 or less", "new": "invalid int value: 'new'"}[word]
    assert f"argument --opset: {rule}" in capsys.readouterr().err


@pytest.mark.slow
def test_an_opset_that_torch_replaces_by_another_is_no_file(tmp_path):
    model = get_stylizer(StyleModelConfig(johnson=JohnsonConfig(width=4))).eval()
    with pytest.raises(UserError, match="not written: torch wrote opset 18 in place of 16"):
        export_onnx(tmp_path / "model.onnx", model, {"task": "styletransfer"}, opset=16)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_export_says_which_onnxruntime_opens_the_file(stylizer):
    assert "opset 18: opens in onnxruntime 1.14 or newer" in (stylizer / "said").read_text()


@pytest.mark.every
@pytest.mark.usefixtures("wide")
def test_a_whole_unet_exports_in_half_the_size(tmp_path, monkeypatch):
    from common.models.unet import Unet

    unet = Unet("resnet18", pretrained=False, norm="spectral", upscale=2)
    nn.init.normal_(unet.last.weight, std=0.02)
    gamma = [parameter for name, parameter in unet.named_parameters() if name.endswith("gamma")]
    for parameter in gamma:  # attention that does something
        nn.init.constant_(parameter, 0.5)
    assert gamma
    monkeypatch.setattr(attention, "MAX_SCORES", 256)  # torch takes several chunks, and their number is not in the file
    model, path = SuperResolver(unet, 2, "after").eval(), tmp_path / "model.onnx"
    difference = export_onnx(path, model, {"task": "superres", "scale": 2}, half=True).difference
    assert 0 < difference < 1 / 255
    size = sum(parameter.numel() for parameter in model.parameters())
    assert path.stat().st_size == pytest.approx(2 * size, rel=0.05)


class Wrong(nn.Module):
    """Another picture in a file than in torch."""

    def __init__(self, by):
        super().__init__()
        self.by = by

    def forward(self, image):
        return image + self.by if torch.compiler.is_exporting() else image


@pytest.mark.slow
@pytest.mark.parametrize(("by", "said"), [(0.2, r"\d"), (torch.nan, "nan")])
def test_a_file_that_differs_is_not_kept(tmp_path, by, said):
    with pytest.raises(UserError, match=f"not written: its results differ from torch's by {said}"):
        export_onnx(tmp_path / "model.onnx", Wrong(by), {"task": "superres"})
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def stylizer(tmp_path_factory):
    """A folder with a model file, its ONNX file, and what was said of it."""
    folder = tmp_path_factory.mktemp("onnx")
    config = StyleModelConfig(johnson=JohnsonConfig(width=4))
    from common.commands.configs import CONFIGS
    from common.config.yaml_file import load_config
    from styletransfer.config import Config

    whole = load_config(Config, CONFIGS / "styletransfer_demo.yaml", ["model.johnson.width=4"])
    torch.manual_seed(0)
    save_stylizer(folder / "model.safetensors", get_stylizer(config), whole)
    exported = run("styletransfer.export", folder / "model.safetensors", "-o", folder / "model.onnx", "--opset", 18)
    assert exported.returncode == 0, exported.stderr
    (folder / "said").write_text(exported.stdout)
    return folder


@pytest.mark.slow
def test_predict_runs_an_onnx_file(stylizer, photos, tmp_path):
    for name in ("model.safetensors", "model.onnx"):
        words = [stylizer / name, photos / "0.png", "-o", tmp_path / name]
        assert run_here("styletransfer.predict", *words) == 0
    first, second = (
        np.asarray(Image.open(tmp_path / name / "0.png")).astype(int) for name in ("model.safetensors", "model.onnx")
    )
    assert abs(first - second).max() <= 1
    assert first.std() > 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "task, words, message",
    [
        ("styletransfer", ["--precision", "bf16"], "--precision: not for an ONNX file"),
        ("styletransfer", ["--blend", "other.safetensors"], "--blend: not for an ONNX file"),
        ("styletransfer", ["--device", "cuda"], "--device cuda: this onnxruntime runs on the CPU alone"),
        ("superres", [], "a model for styletransfer: use python -m styletransfer.predict"),
        ("superres", ["--strength", "0.5"], "--strength: not for an ONNX file"),
    ],
)
def test_what_an_onnx_file_cannot_do_is_said(stylizer, photos, tmp_path, capsys, task, words, message):
    assert run_here(f"{task}.predict", stylizer / "model.onnx", photos, "-o", tmp_path / "out", *words) == 2
    assert message in capsys.readouterr().err


def test_an_onnx_file_whose_results_are_no_numbers_fails(photos, tmp_path, caplog):
    from onnx import TensorProto, helper, save

    shape = [1, 3, "height", "width"]
    image, result = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("image", "result"))
    nodes = [helper.make_node("Neg", ["image"], ["minus"]), helper.make_node("Sqrt", ["minus"], ["result"])]
    graph = helper.make_graph(nodes, "roots", [image], [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {METADATA_KEY: json.dumps({"task": "superres", "scale": 1})})
    save(model, tmp_path / "model.onnx")
    assert run_here("superres.predict", tmp_path / "model.onnx", photos / "0.png", "-o", tmp_path / "out") == 1
    assert caplog.messages[-2].startswith(f"failed {photos / '0.png'}: the network gives values that are no numbers")
    assert not (tmp_path / "out/0.png").exists()


def test_broken_files_are_refused(photos, tmp_path, capsys):
    (tmp_path / "text.onnx").write_text("no model")
    for name, message in (("text.onnx", "not a complete ONNX file"), ("none.onnx", "no such model file")):
        assert run_here("superres.predict", tmp_path / name, photos, "-o", tmp_path / "out") == 2
        assert message in capsys.readouterr().err


@pytest.mark.slow
def test_an_existing_file_and_another_ending_are_refused(stylizer, capsys):
    model = stylizer / "model.safetensors"
    assert run_here("styletransfer.export", model, "-o", stylizer / "model.onnx") == 2
    assert "exists; add --overwrite" in capsys.readouterr().err
    assert run_here("styletransfer.export", model, "-o", stylizer / "model.pt") == 2
    assert "must end in .onnx" in capsys.readouterr().err


def test_memory_that_runs_out_is_told_apart_from_other_failures():
    class Session:
        def __init__(self, message):
            self.message = message

        def run(self, *_):
            raise Exception(self.message)  # onnxruntime's own derive from no other

    model = OnnxModel.__new__(OnnxModel)
    nn.Module.__init__(model)
    for message, error in (("Failed to allocate memory for requested buffer", MemoryError), ("a bad node", Exception)):
        model.session = Session(message)
        with pytest.raises(error) as raised:
            model(torch.rand(1, 3, 8, 8))
        assert type(raised.value) is error
