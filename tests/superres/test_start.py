"""Training on from anybody's model, and the cure against a lattice of dots."""

import logging

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from PIL import Image
from spandrel import MAIN_REGISTRY, ModelLoader
from spandrel.architectures.Compact import Compact
from spandrel.architectures.SPAN import SPAN

from common.commands.configs import CONFIGS
from common.config.yaml_file import load_config
from common.models.start_from import start_from
from common.runtime.errors import UserError
from superres import start, training
from superres.config import Config
from superres.even import make_even
from superres.files import load_any_model, load_model, save_model
from superres.fused import find_layers, fuse, unfuse
from superres.spandrel_export import export_spandrel
from tests.commands import run

STAGES = "train.stages=[{crop: 32, bs: 2, epochs: 1, lr: 1e-3}]"


@pytest.fixture
def span(tmp_path):
    """A file of SPAN 2x, 16 channels, by somebody else."""
    torch.manual_seed(0)
    network = SPAN(num_in_ch=3, num_out_ch=3, feature_channels=16, upscale=2)
    path = tmp_path / "2x_others.safetensors"
    path.write_bytes(safetensors.torch.save(dict(network.state_dict()), {"license": "BSD-3-Clause", "author": "A. N."}))
    return path


@pytest.fixture
def compact(tmp_path):
    torch.manual_seed(0)
    network = Compact(num_in_ch=3, num_out_ch=3, num_feat=8, num_conv=2, upscale=4)
    torch.save({"params": network.state_dict()}, tmp_path / "4x_others.pth")
    return tmp_path / "4x_others.pth"


def settled(path, *words):
    return training.settle(load_config(Config, None, [STAGES, "loss.l1=1", f"train.start_from={path}", *words]))


def started(path, *words):
    config = settled(path, *words)
    model, _ = training.build(config)
    start_from(model, path, "superres", start.read_weights)
    return config, model


def test_architecture_options_and_scale_come_from_the_file(span, compact):
    config = settled(span)
    assert (config.model.network, config.model.architecture, config.data.scale) == ("spandrel", "SPAN", 2)
    assert (config.model.options, config.model.fused) == ({"feature_channels": 16}, True)
    config = settled(compact)
    assert (config.model.architecture, config.data.scale, config.model.fused) == ("Compact", 4, False)
    assert config.model.options == {"num_feat": 8, "num_conv": 2}
    assert settled(compact, "data.scale=4", "model.network=spandrel", "model.architecture=Compact") == config


def test_options_that_are_the_architectures_own_may_be_said_or_not(tmp_path):
    torch.save(Compact(num_in_ch=3, num_out_ch=3, num_feat=64, num_conv=2, upscale=2).state_dict(), tmp_path / "a.pth")
    words = ["model.network=spandrel", "model.architecture=Compact", "data.scale=2"]
    for options in ("{num_conv: 2}", "{num_feat: 64, num_conv: 2, act_type: prelu}"):
        assert settled(tmp_path / "a.pth", *words, f"model.options={options}").model.options == {"num_conv": 2}
    with pytest.raises(UserError, match=r"has \{'num_conv': 2\}; leave it out"):
        settled(tmp_path / "a.pth", *words, "model.options={num_feat: 32, num_conv: 2}")


def test_a_config_that_says_nothing_of_its_network_takes_that_of_one_of_our_files(compact, tmp_path):
    config, model = started(compact)
    save_model(tmp_path / "ours.safetensors", model, config)
    ours = settled(tmp_path / "ours.safetensors", "model.even=true", "loss.mse=1")
    assert ours.model == config.model.model_copy(update={"even": True})
    assert ours.data.scale == 4
    assert settled(tmp_path / "ours.safetensors", "data.scale=2").data.scale == 2
    assert settled(tmp_path / "ours.safetensors", "model.network=srcnn").model.network == "srcnn"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("data.scale=2", "data.scale = 2: .*4x_others.pth has 4; leave it out, or start from another model"),
        ("model.network=unet", "model.network = unet: .* has spandrel"),
        ("train.stages.0.crop=34", r"4x_others.pth, 4x: train.stages.0.crop = 34: must be a multiple"),
    ],
)
def test_a_config_that_says_otherwise_is_refused_with_both_values(compact, word, message):
    with pytest.raises(UserError, match=message):
        settled(compact, word)


@pytest.mark.parametrize("name", ["span", "compact"])
def test_it_begins_as_the_file_and_comes_back_to_spandrel_as_it_was_trained(name, request, tmp_path, caplog):
    path = request.getfixturevalue(name)
    caplog.set_level(logging.INFO)
    config, model = started(path)
    photo = torch.rand(1, 3, 20, 24)
    theirs = load_any_model(path)
    with torch.inference_mode():
        torch.testing.assert_close(model.eval()(photo).clamp(0, 1), theirs(photo), atol=1e-5, rtol=0)
    if name == "span":
        assert "start_from: license: BSD-3-Clause" in caplog.text
        assert "start_from: author: A. N." in caplog.text
    optimizer = torch.optim.SGD(model.train().parameters(), lr=1e-3)
    model(photo).square().mean().backward()
    optimizer.step()
    save_model(tmp_path / "mine.safetensors", model, config)
    mine = load_model(tmp_path / "mine.safetensors")
    assert export_spandrel(tmp_path / "back.safetensors", mine) < 1e-5
    descriptor = ModelLoader().load_from_file(tmp_path / "back.safetensors")
    with torch.inference_mode():
        torch.testing.assert_close(descriptor(photo), model.eval()(photo).clamp(0, 1), atol=1e-5, rtol=0)
        assert (descriptor(photo) - theirs(photo)).abs().max() > 1e-6  # it was trained
    assert {*descriptor.model.state_dict()} == {*MAIN_REGISTRY.load(start_state(path)).model.state_dict()}


def start_state(path):
    from superres.community import read_state

    return read_state(path)


def test_fused_layers_are_all_that_is_trained_and_unfused_layers_make_the_same_pictures():
    torch.manual_seed(0)
    network = SPAN(num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=2).eval()
    photo = torch.rand(1, 3, 12, 10)
    with torch.no_grad():
        expected = network(photo.clone())
    template = SPAN(num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=2)
    fused = fuse(network)
    assert not find_layers(fused)
    assert all(parameter.requires_grad for parameter in fused.parameters())
    template.load_state_dict(unfuse(template, fused.state_dict()))
    with torch.no_grad():
        torch.testing.assert_close(fused(photo.clone()), expected)
        torch.testing.assert_close(template.eval()(photo.clone()), expected, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(template.train()(photo.clone()), expected, atol=1e-4, rtol=1e-4)


def test_an_even_network_writes_no_dots_on_constant_features():
    torch.manual_seed(0)
    network = Compact(num_in_ch=3, num_out_ch=3, num_feat=8, num_conv=2, upscale=4).eval()
    flat = torch.full((1, 3, 12, 12), 0.3)

    def dots():
        with torch.no_grad():
            inside = network(flat)[..., 20:-20, 20:-20]
        return (inside - inside.mean(dim=(-2, -1), keepdim=True)).abs().max()

    assert dots() > 0.01
    assert make_even(network) == 1
    assert dots() < 1e-6


def test_an_even_model_is_saved_as_a_plain_one(compact, tmp_path):
    config, model = started(compact, "model.even=true", "model.network=spandrel", "model.architecture=Compact")
    assert config.model.even
    save_model(tmp_path / "even.safetensors", model, config)
    again = load_model(tmp_path / "even.safetensors")
    assert not any("parametrizations" in name for name in again.state_dict())
    photo = torch.rand(1, 3, 9, 8)
    with torch.inference_mode():
        torch.testing.assert_close(again(photo), model.eval()(photo), atol=1e-6, rtol=0)


def test_a_network_without_re_parametrised_layers_cannot_be_fused():
    words = ["loss.l1=1", "model={network: spandrel, architecture: Compact, fused: true}"]
    with pytest.raises(UserError, match=r"model.fused: this architecture has no re-parametrised layers"):
        training.settle(load_config(Config, None, [STAGES, *words]))


@pytest.mark.slow
def test_a_model_of_others_is_trained_stopped_and_used(span, photos, tmp_path):
    words = [f"data.path={photos}", "data.valid=[0.png]", f"train.start_from={span}", f"output.path={tmp_path}"]
    config = CONFIGS / "superres_finetune.yaml"
    ended = run("superres.train", config, *words, "loss={l1: 1}", STAGES, "train.minutes=null", "output.name=run")
    assert ended.returncode == 0, ended.stderr
    assert "start_from: license: BSD-3-Clause" in ended.stdout
    span.unlink()  # needed no more
    resumed = run("superres.train", "--resume", tmp_path / "run", "train.stages.0.epochs=2")
    assert resumed.returncode == 0, resumed.stderr
    assert len(pd.read_csv(tmp_path / "run/history.csv")) == 2
    assert run("superres.predict", tmp_path / "run", photos / "1.png", "-o", tmp_path / "out").returncode == 0
    assert np.asarray(Image.open(tmp_path / "out/1.png")).shape == (144, 160, 3)
