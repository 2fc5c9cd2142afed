import copy

import pytest
import torch
from torch import nn

from colorize.config import ColorizeModelConfig, Config
from colorize.files import save_model
from colorize.lab import get_ab, to_grey
from colorize.network import get_model
from common.commands.configs import CONFIGS
from common.config.yaml_file import load_config

CONFIG = ColorizeModelConfig(encoder="resnet18", pretrained=False, norm="weight")


def wake(model):
    """Gives the zero-initialised last layer weights, so that there are colours."""
    nn.init.normal_(model.unet.last.weight, std=0.1)
    return model


def test_an_untrained_model_leaves_the_photo_grey(noise):
    model = get_model(CONFIG, 64)
    for mode in (model.train(), model.eval()):
        torch.testing.assert_close(mode(noise), to_grey(noise), atol=1e-3, rtol=0)


def test_the_colours_of_the_input_are_not_looked_at(noise):
    model = wake(get_model(CONFIG, 64)).eval()
    with torch.inference_mode():
        coloured = model(noise)
        torch.testing.assert_close(model(to_grey(noise)), coloured, atol=2e-3, rtol=0)
    assert get_ab(coloured).abs().mean() > 1
    torch.testing.assert_close(to_grey(coloured), to_grey(noise), atol=2e-3, rtol=0)


def test_half_precision_leaves_lightness_exact(noise):
    model = wake(get_model(CONFIG, 64)).eval()
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        coloured = model(noise)
    assert coloured.dtype == torch.float32
    torch.testing.assert_close(to_grey(coloured), to_grey(noise), atol=2e-3, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["batch", "weight", "spectral", "none"])
@pytest.mark.parametrize("attention", [True, False])
def test_every_norm_with_and_without_attention_learns_and_is_copied(norm, attention):
    model = get_model(CONFIG.model_copy(update={"norm": norm, "attention": attention}), 64)
    photos = torch.rand(2, 3, 32, 32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(2):
        optimizer.zero_grad()
        (model(photos) - photos).abs().mean().backward()
        optimizer.step()
    with torch.inference_mode():
        again = copy.deepcopy(model).eval()(photos)
        torch.testing.assert_close(again, model.eval()(photos))
    assert get_ab(again).abs().mean() > 0.01


@pytest.mark.slow
def test_the_loss_of_a_photo_gets_smaller():
    model = get_model(CONFIG, 64)
    orange, blue = [0.7, 0.45, 0.3], [0.35, 0.5, 0.65]  # colours that sRGB can show, as those of chance may not be
    photos = torch.tensor([orange, blue])[..., None, None].expand(-1, -1, 32, 32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = (model(photos) - photos).abs().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_the_model_file_names_no_folder_of_the_machine(tmp_path):
    config = load_config(Config, CONFIGS / "colorize_demo.yaml", [f"data.path={tmp_path}", f"data.cache={tmp_path}"])
    save_model(tmp_path / "model.safetensors", get_model(CONFIG, 64), config)
    assert str(tmp_path).encode() not in (tmp_path / "model.safetensors").read_bytes()
