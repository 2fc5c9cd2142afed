import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from common.config.yaml_file import load_config
from common.models.start_from import start_from
from common.runtime.errors import UserError
from superres.config import Config
from superres.files import save_model
from superres.network import get_model


def get_config(*words):
    stages = "train.stages=[{crop: 32, bs: 1, epochs: 1, lr: 1}]"
    return load_config(Config, None, ["loss.l1=1", stages, "model.encoder=resnet18", "model.pretrained=false", *words])


def make(seed, *words):
    torch.manual_seed(seed)
    config = get_config(*words)
    model = get_model(config.model, config.data.scale)
    nn.init.normal_(model.unet.last.weight, std=0.1)
    return model, config


def settle(model):
    """Takes steps of spectral norm's power iteration, as training does, until its estimate is right."""
    model.train()
    for module in model.modules():
        if parametrize.is_parametrized(module, "weight"):
            for _ in range(300):
                _ = module.weight


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["weight", "spectral", "none"])
def test_a_model_that_starts_from_a_file_gives_its_pictures(norm, tmp_path, noise):
    ours, config = make(0, f"model.norm={norm}")
    settle(ours)
    save_model(tmp_path / "a.safetensors", ours, config)
    other, _ = make(1, f"model.norm={norm}")
    low = noise[..., :32, :32]
    with torch.no_grad():
        expected, before = ours.eval()(low), other.eval()(low)
        start_from(other, tmp_path / "a.safetensors", "superres")
        after = other(low)
    assert (before - expected).abs().max() > 0.1
    torch.testing.assert_close(after, expected, atol=2e-3, rtol=0)
    assert len(list(other.parameters())) == len(list(ours.parameters()))  # norms are still there
    assert other.training is False


@pytest.mark.parametrize(("norm", "warns"), [("spectral", True), ("weight", False)])
def test_weights_that_spectral_norm_changes_are_told(norm, warns, tmp_path, caplog):
    ours, config = make(0, "model.norm=none")
    save_model(tmp_path / "a.safetensors", ours, config)
    other, _ = make(1, f"model.norm={norm}")
    start_from(other, tmp_path / "a.safetensors", "superres")
    assert ("the first results are not that model's" in caplog.text) == warns


def test_what_does_not_fit_is_named_and_the_rest_is_taken(tmp_path, caplog):
    ours, config = make(0, "model.norm=weight")
    save_model(tmp_path / "a.safetensors", ours, config)
    other, _ = make(1, "model.norm=weight", "data.scale=4")
    last = other.unet.last.weight.clone()
    with caplog.at_level("INFO"):
        start_from(other, tmp_path / "a.safetensors", "superres")
    encoder, theirs = (next(iter(model.unet.encoder.parameters())) for model in (ours, other))
    assert torch.equal(encoder, theirs)
    assert torch.equal(other.unet.last.weight, last)
    assert "unet.last.weight 12 x 9 x 3 x 3 (here 48 x 9 x 3 x 3)" in caplog.text
    assert "183 of 185 weights" in caplog.text


def test_another_network_or_task_is_refused(tmp_path):
    ours, config = make(0)
    save_model(tmp_path / "a.safetensors", ours, config)
    with pytest.raises(UserError, match="none of its weights fits this model"):
        start_from(nn.Linear(2, 2), tmp_path / "a.safetensors", "superres")
    with pytest.raises(UserError, match="a model for superres, not for colorize"):
        start_from(ours, tmp_path / "a.safetensors", "colorize")
    start_from(ours, None, "superres")
