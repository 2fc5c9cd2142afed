import re

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from common.config.yaml_file import load_config
from superres.bicubic import resize_bicubic
from superres.config import Config
from superres.data import Degrade
from superres.files import load_model, save_model
from superres.measure import measure_photo
from superres.network import get_model
from tests.commands import run_here


def make(path, seed, std, *words):
    """A model file; std: of the last layer's weights."""
    torch.manual_seed(seed)
    stages = "train.stages=[{crop: 32, bs: 1, epochs: 1, lr: 1}]"
    config = load_config(Config, None, ["loss.l1=1", stages, "model.network=srcnn", *words])
    model = get_model(config.model, config.data.scale)
    nn.init.normal_(list(model.parameters())[-2], std=std)
    save_model(path, model, config)
    return path


@pytest.fixture
def models(tmp_path):
    return make(tmp_path / "a.safetensors", 0, 0.001), make(tmp_path / "b.safetensors", 1, 0.01)


def test_the_curve_begins_at_one_model_and_ends_at_the_other(models, photos, tmp_path):
    first, other = models
    words = [first, "--blend", other, "--steps", 3, "--data", photos, "--vgg=random", "-o", tmp_path / "curve"]
    assert not run_here("superres.evaluate", *words)
    table = pd.read_csv(tmp_path / "curve/blend.csv")
    assert table["part"].tolist() == [0, 0.5, 1]
    for part, path in ((0, first), (2, other)):
        figures = [measure_photo(p, Degrade(2), {"x": load_model(path)})[0]["x PSNR-Y"] for p in photos.iterdir()]
        assert table["PSNR-Y"][part] == pytest.approx(np.mean(figures), abs=1e-4)
    assert table["PSNR-Y"][0] > table["PSNR-Y"][2]
    with Image.open(tmp_path / "curve/blend.png") as plot:
        assert np.asarray(plot.convert("L")).std() > 5


def test_a_part_needs_another_model(models, photos, tmp_path, capsys):
    assert run_here("superres.predict", models[0], photos / "0.png", "-o", tmp_path / "out", "--part", 0.3) == 2
    assert "error: --part needs --blend OTHER" in capsys.readouterr().err


def test_strength_and_part_are_dials_of_predict(models, photos, tmp_path):
    first, other = models
    photo = photos / "0.png"

    def predict(name, *words):
        assert run_here("superres.predict", first, photo, "-o", tmp_path / name, *words) == 0
        return np.asarray(Image.open(tmp_path / name)).astype(int)

    with Image.open(photo) as image:
        low = torch.tensor(np.asarray(image.convert("RGB"))).permute(2, 0, 1)[None] / 255
    bicubic = (resize_bicubic(low, 2).clamp(0, 1) * 255).round()[0].permute(1, 2, 0).numpy().astype(int)
    assert np.array_equal(predict("none.png", "--strength", 0), bicubic)
    plain = predict("plain.png")
    assert not np.array_equal(plain, bicubic)
    assert np.array_equal(predict("same.png", "--blend", other, "--part", 0), plain)
    mixed = predict("mixed.png", "--blend", other, "--part", 1)
    assert run_here("superres.predict", other, photo, "-o", tmp_path / "other.png") == 0
    assert np.array_equal(mixed, np.asarray(Image.open(tmp_path / "other.png")))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--blend", "WIDE"], "--blend .*: its upsample is after, MODEL's is before"),
        (["--steps", "3"], "--steps needs --blend OTHER"),
    ],
)
def test_mistakes_end_with_one_message(models, photos, tmp_path, capsys, words, message):
    wide = make(
        tmp_path / "wide.safetensors", 0, 0.01, "model.network=unet", "model.encoder=resnet18", "model.pretrained=false"
    )
    words = [wide if word == "WIDE" else word for word in words]
    assert run_here("superres.evaluate", models[0], "--data", photos, "-o", tmp_path / "x", *words) == 2
    assert re.search(message, capsys.readouterr().err)
