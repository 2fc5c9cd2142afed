"""Hints: as a file has them, as a photo gets them."""

import json

import numpy as np
import pytest
import torch

from colorize.config import ColorizeModelConfig
from colorize.hints import Hint, ab_of, read_hints, to_places
from colorize.lab import get_ab
from colorize.network import get_model
from colorize.photo import color_photo
from common.photos.pixels import to_pixels, to_tensor
from common.runtime.errors import UserError

CPU = torch.device("cpu")


def test_a_file_says_what_is_where_in_pixels_of_the_photo(tmp_path):
    path = tmp_path / "hints.json"
    path.write_text(json.dumps([{"x": 90, "y": 10, "color": "#ff0000"}]))
    (hint,) = read_hints(path)
    assert hint == Hint(90, 10, "#ff0000")
    (place,) = to_places([hint], (50, 100), (25, 50))
    assert (place.row, place.column) == (5, 45)
    assert place.ab.tolist() == pytest.approx((80.1, 67.2), abs=0.1)  # sRGB's red
    assert ab_of("#808080").tolist() == pytest.approx((0, 0), abs=0.01)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "no JSON"),
        ("{}", "no list; write"),
        ('[{"x": 1, "y": 2}]', "entry 1: must have x, y and color"),
        ('[{"x": -1, "y": 2, "color": "#ffffff"}]', "x = -1: must be pixels"),
        ('[{"x": 1, "y": 2, "color": "orange"}]', "color = 'orange': must be #rrggbb"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path, text, said):
    path = tmp_path / "hints.json"
    path.write_text(text)
    with pytest.raises(UserError, match=said):
        read_hints(path)


def test_a_photo_with_hints_differs_most_around_them():
    config = ColorizeModelConfig(encoder="resnet18", pretrained=False, norm="none", attention=False)
    model = get_model(config, 64).eval()
    torch.nn.init.normal_(model.unet.last.weight, std=0.1)
    photo = to_pixels(torch.rand(1, 3, 64, 128))
    plain, told = color_photo(model, photo), color_photo(model, photo, hints=[Hint(20, 30, "#ff8000")])
    changed = np.abs(plain.astype(int) - told).sum(axis=2)
    assert changed[20:40, 10:30].mean() > 3 * changed[:, 100:].mean()
    with pytest.raises(UserError, match="x = 200, y = 1 is not in the photo of 128 x 64 px"):
        color_photo(model, photo, hints=[Hint(200, 1, "#ff8000")])


@pytest.mark.parametrize("encoder", ["resnet18", "vgg16"])
def test_any_model_takes_hints(encoder):
    config = ColorizeModelConfig(encoder=encoder, pretrained=False, norm="none")
    model, grey = get_model(config, 64).eval(), np.full((64, 96, 3), 128, np.uint8)
    told = color_photo(model, grey, hints=[Hint(20.5, 30.5, "#e07b39")])
    assert get_ab(to_tensor(told))[0, :, 30, 20].tolist() == pytest.approx(ab_of("#e07b39").tolist(), abs=2)


@pytest.mark.parametrize("color", ["#b08060", "#e07b39"])  # a strong one, which half the saturation had made pale
@pytest.mark.parametrize("saturation", [0.3, 1.5])
def test_saturation_is_of_the_models_colours_not_of_those_that_are_told(saturation, color):
    config = ColorizeModelConfig(encoder="resnet18", pretrained=False, norm="none")
    model, grey = get_model(config, 64).eval(), np.full((64, 96, 3), 128, np.uint8)
    told = color_photo(model, grey, hints=[Hint(20.5, 30.5, color)], saturation=saturation)
    assert get_ab(to_tensor(told))[0, :, 30, 20].tolist() == pytest.approx(ab_of(color).tolist(), abs=2)
