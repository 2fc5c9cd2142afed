"""A model that was trained to paint in any strength."""

import logging

import numpy as np
import pytest
import torch

from common.commands.configs import CONFIGS
from common.config.losses import LossConfig
from common.config.yaml_file import load_config
from styletransfer.config import Config, StyleModelConfig
from styletransfer.data import STRONGEST, AsTarget
from styletransfer.files import load_model, save_model
from styletransfer.loss import StyleLoss
from styletransfer.network import get_model, in_style
from styletransfer.photo import paint_photo, paint_together
from styletransfer.training import begin

SMALL = StyleModelConfig.model_validate({"johnson": {"width": 4}})
LOSS = {
    "vgg": "random",
    "gram": {"weight": 1, "distance": "mse", "layers": {"relu1_2": 1, "relu2_2": 1}},
    "sliced": {"weight": 1, "layers": {"relu2_2": 1}},
}


@pytest.fixture
def model():
    model = get_model(SMALL, ["photo", "night", "wave"]).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)


def test_a_strength_is_so_much_of_the_style_and_the_rest_of_the_photos(model, photo):
    chosen = in_style(model, "wave:3,night:1")
    pixels = torch.from_numpy(photo).permute(2, 0, 1)[None] / 255
    for strength in (0.3, 1.0, 1.5):
        mix = torch.tensor([[1 - strength, 0.25 * strength, 0.75 * strength]])
        expected = (model(pixels, mix)[0].permute(1, 2, 0) * 255).round().detach().numpy()
        assert np.abs(paint_photo(chosen, photo, strength) - expected).max() <= 1
    assert np.array_equal(paint_photo(chosen, photo, 0), photo)


def test_without_strength_the_network_gives_the_photo(model, photo):
    pixels = torch.from_numpy(photo).permute(2, 0, 1)[None] / 255
    none = model(pixels, torch.tensor([[1.0, 0, 0]]))
    assert (255 * (none - pixels)).abs().max() <= 0.51
    some = in_style(model, "photo:0.3,wave:0.7")  # a mix like any other
    torch.testing.assert_close(some(pixels), model(pixels, torch.tensor([[0.3, 0, 0.7]])), atol=1e-5, rtol=1e-5)
    large = np.tile(photo, (8, 2, 1))
    assert np.abs(paint_photo(some, large).astype(int) - paint_photo(some, large, tile=64)).max() <= 1


def test_bands_and_batches_have_the_strength_too(model, photo):
    chosen, large = in_style(model, "night"), np.tile(photo, (8, 2, 1))
    whole = paint_photo(chosen, large, 0.4)
    assert np.abs(whole.astype(int) - paint_photo(chosen, large, 0.4, tile=64)).max() <= 1
    assert np.abs(whole.astype(int) - paint_photo(chosen, large, 1.0)).max() > 1
    assert np.array_equal(paint_together(chosen, [photo, photo[::-1]], 0.4)[1], paint_photo(chosen, photo[::-1], 0.4))


def test_the_photos_own_style_has_no_name_to_choose(model):
    assert model.names == ["night", "wave"]
    assert in_style(get_model(SMALL, ["photo", "wave"]), None).chosen == [0, 1]


def test_a_file_keeps_the_dial(model, photo, tmp_path):
    config = load_config(Config, CONFIGS / "styletransfer_demo.yaml", ["model.johnson.width=4"])
    save_model(tmp_path / "model.safetensors", model, config)
    again = in_style(load_model(tmp_path / "model.safetensors"), "night")
    assert np.array_equal(paint_photo(again, photo, 0.7), paint_photo(in_style(model, "night"), photo, 0.7))


def test_the_target_lies_between_the_photos_style_and_the_pictures(noise):
    config = LossConfig.model_validate(LOSS)
    style, photo = noise[:1], noise[1:2].flip(2)
    loss = StyleLoss(config, style).eval()
    activations = loss.activations(photo)[""]
    directions = loss.directions(activations["relu2_2"])
    for name, layer, told in (("gram", "relu1_2", None), ("sliced", "relu2_2", directions)):
        described = [
            loss.described_target(name, layer, activations, told, torch.tensor([[1 - s, s]]))
            for s in (0.0, 0.5, 1.0, 1.5)
        ]
        torch.testing.assert_close(described[1], (described[0] + described[2]) / 2)
        torch.testing.assert_close(described[3], 1.5 * described[2] - 0.5 * described[0])
        torch.testing.assert_close(
            described[2], loss.described_target(name, layer, activations, told, torch.ones(1, 1))
        )
    assert loss(photo, photo, torch.tensor([[1.0, 0.0]])) < 1e-3 * loss(photo, photo, torch.tensor([[0.0, 1.0]]))


def test_how_much_a_picture_counts_is_its_styles_matter_not_its_strengths(noise):
    config = LossConfig.model_validate(LOSS)
    loss = StyleLoss(config, noise[:1], noise[1:2] / 4).train()
    mixes = torch.tensor([[0, 1.0, 0], [0.5, 0.5, 0], [-0.5, 0, 1.5], [0, 0, 1.0], [1, 0, 0]])
    counts = loss.parts(mixes)
    assert counts[0] == counts[1] < counts[2] == counts[3]
    assert counts[4] == 1
    assert (counts[0] + counts[2]).item() == pytest.approx(2)


def test_half_of_the_photos_are_painted_and_half_get_a_strength_of_their_own(noise):
    _, mix, _, target_mix = AsTarget(2, strength=True)((torch.rand(400, 3, 8, 8),))
    strengths = mix[:, 1:].sum(dim=1)
    torch.testing.assert_close(mix[:, 0], 1 - strengths)
    assert torch.equal(mix, target_mix)
    assert ((mix[:, 1:] > 0).sum(dim=1) == (strengths > 0)).all()
    assert 0.4 < (strengths == 1).float().mean() < 0.6
    assert 0 < strengths.min() < 0.1 * STRONGEST
    assert 0.9 * STRONGEST < strengths.max() <= STRONGEST


def test_styles_begin_as_they_were_by_their_names(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    old = get_model(SMALL, ["night", "wave"])
    with torch.no_grad():
        for norm in old.network.norms().values():
            for number, scale in enumerate(norm.scales):
                scale.fill_(10 + number)
    words = ["model.johnson.width=4", f"train.start_from={tmp_path / 'old.safetensors'}"]
    config = load_config(Config, CONFIGS / "styletransfer_demo.yaml", words)
    save_model(tmp_path / "old.safetensors", old, config)
    new = get_model(SMALL, ["photo", "wave", "night"])
    begin(config, new)
    for norm in new.network.norms().values():
        assert [scale[0].item() for scale in norm.scales] == [1, 11, 10]
    assert "styles that begin anew: photo" in caplog.text
    wider = get_model(StyleModelConfig.model_validate({"johnson": {"width": 8}}), ["wave"])
    begin(config, wider)  # of another width, nothing fits
    assert all(norm.scales[0].eq(1).all() for norm in wider.network.norms().values())


def test_held_out_photos_are_judged_as_those_of_the_training(noise):
    config = LossConfig.model_validate({"vgg": "random", "gram": LOSS["gram"]})
    loss, mix = StyleLoss(config, noise[:1], noise[1:2] / 4), torch.eye(2)
    trained = loss(noise.flip(2), noise, mix)
    loss.held_out = True
    assert loss(noise.flip(2), noise, mix) == trained
