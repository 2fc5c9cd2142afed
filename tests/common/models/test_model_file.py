import json
import pickle

import pytest
import safetensors.torch
import torch
from torch import nn

from common.models.model_file import (
    FORMAT_VERSION,
    METADATA_KEY,
    fill_weights,
    fold_norms,
    folded_state_dict,
    read_model_file,
    write_model_file,
)
from common.models.unet import Unet
from common.runtime.errors import UserError
from common.runtime.files import atomic_write


def trained(norm):
    """A small U-Net after two steps, with a last layer that is not zero."""
    unet = Unet("resnet18", pretrained=False, norm=norm, upscale=2)
    nn.init.normal_(unet.last.weight, std=0.1)
    step = torch.optim.SGD(unet.parameters(), lr=1e-3)
    for _ in range(2):
        unet(torch.rand(2, 3, 64, 64)).square().mean().backward()
        step.step()
        step.zero_grad()
    return unet


@pytest.mark.parametrize("norm", ["batch", "weight", "spectral", "none"])
def test_a_model_comes_back_as_it_was(tmp_path, norm):
    unet, x = trained(norm), torch.rand(1, 3, 40, 50)
    path = tmp_path / "model.safetensors"
    write_model_file(path, unet, "task", {"norm": norm})
    assert unet.training
    config, state = read_model_file(path, "task")
    assert config == {"norm": norm}
    again = fill_weights(path, Unet("resnet18", pretrained=False, norm=norm, upscale=2), state)
    assert not again.training
    with torch.inference_mode():
        torch.testing.assert_close(again(x), unet.eval()(x))
    pickle.dumps(again.last)
    assert not any("parametrizations" in name for name in state)


@pytest.mark.parametrize("norm", ["weight", "spectral"])
def test_reading_the_folded_state_leaves_the_model_untouched(norm):
    unet = trained(norm)
    before = {name: value.clone() for name, value in unet.state_dict().items()}
    folded = folded_state_dict(unet)
    assert all(torch.equal(value, before[name]) for name, value in unet.state_dict().items())
    assert folded.keys() == fold_norms(unet).state_dict().keys()


def test_files_that_are_no_model_of_the_task_are_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(UserError, match="no such model file"):
        read_model_file(path, "superres")
    write_model_file(path, nn.Linear(100, 100), "colorize", {})
    with pytest.raises(UserError, match=r"a model for colorize, not for superres: use python -m colorize.predict"):
        read_model_file(path, "superres")
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match=r"not a complete \.safetensors file"):
        read_model_file(path, "colorize")
    safetensors.torch.save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="not one of our model files"):
        read_model_file(path, "colorize")
    header = {"format_version": FORMAT_VERSION + 1, "task": "x", "config": {}}
    safetensors.torch.save_file({"a": torch.zeros(1)}, path, {METADATA_KEY: json.dumps(header)})
    with pytest.raises(UserError, match="written by a newer version"):
        read_model_file(path, "x")
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(UserError, match=r"not a complete \.safetensors file"):
        read_model_file(path, "x")


def test_weights_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(UserError, match="do not fit the model"):
        fill_weights(tmp_path / "m", nn.Linear(2, 2), {"weight": torch.zeros(3, 3), "bias": torch.zeros(3)})


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_no_numbers_are_refused(tmp_path, value):
    state = {"weight": torch.tensor([[1.0, value]]), "bias": torch.zeros(1)}
    with pytest.raises(UserError, match="x: some of its weights are infinite or not numbers"):
        fill_weights(tmp_path / "x", nn.Linear(2, 1), state)


def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_equal_models_make_equal_files(tmp_path):
    model = nn.Linear(2, 2)
    paths = [tmp_path / f"{i}.safetensors" for i in range(5)]
    for path in paths:
        write_model_file(path, model, "task", {"a": 1, "b": {"c": None}})
    assert len({path.read_bytes() for path in paths}) == 1
