"""Colours that are suggested for a place."""

import numpy as np
import pytest
import torch

from colorize.config import ColorizeModelConfig
from colorize.hints import ab_of, to_hints
from colorize.lab import get_ab, set_ab, to_grey
from colorize.network import get_model
from colorize.suggest import suggest_colors
from common.photos.pixels import to_tensor
from common.runtime.errors import UserError

CENTRES = torch.tensor([[20.0 * i, 0.0] for i in range(-3, 4)])  # green to red
GREY = np.full((40, 60, 3), 128, np.uint8)


def network(colors=CENTRES, **options):
    config = ColorizeModelConfig(encoder="resnet18", pretrained=False, norm="none", attention=False, **options)
    return get_model(config, 40, None if colors is None else (colors, torch.ones(len(colors)))).eval()


def test_the_five_likeliest_come_first_on_the_lightness_of_the_place():
    model = network()
    model.unet.last.bias.data = torch.tensor([0.0, 6, 2, 5, 3, 1, 4])
    colors = suggest_colors(model, GREY, (3, 3))
    assert [round(float(ab_of(color)[0]), -1) for color in colors] == [-40, 0, 60, 20, -20]
    rgb = [[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in colors]
    picture = to_tensor(np.array(rgb, np.uint8)[None])
    assert abs(to_grey(picture) - 128 / 255).max() < 2 / 255
    assert suggest_colors(model, np.zeros_like(GREY), (3, 3)) == ["#000000"]  # black takes no colour


def test_each_place_has_its_own():
    model = network()
    torch.nn.init.normal_(model.unet.last.weight, std=3)
    photo = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    grey = to_grey(to_tensor(photo))
    logits = model.unet(grey)[0]
    for x, y in [(0, 0), (59, 39), (20, 10), (33, 21), (50, 30), (8, 38)]:
        first = suggest_colors(model, photo, (x, y), saturation=2, hints=[])[0]
        likeliest = set_ab(grey[..., y : y + 1, x : x + 1], CENTRES[logits[:, y, x].argmax()][None, :, None, None])
        torch.testing.assert_close(ab_of(first), get_ab(likeliest)[0, :, 0, 0], atol=2, rtol=0)  # rounded to 8 bits


def test_of_a_network_at_half_the_size_the_place_is_halved():
    model = network(half=True)
    logits = torch.randn(1, len(CENTRES), 21, 31)
    logits[:, [0, 1]] = -9  # greens that sRGB does not have at this lightness
    model.unet.forward = lambda grey: logits
    photo = np.full((41, 61, 3), 128, np.uint8)
    for x, y in [(0, 0), (60, 40), (17, 30)]:
        first = ab_of(suggest_colors(model, photo, (x, y), size=41)[0])
        torch.testing.assert_close(first, CENTRES[logits[0, :, y // 2, x // 2].argmax()], atol=2, rtol=0)


def test_one_colour_a_pixel_is_nothing_to_choose_from_and_places_must_be_in_the_photo():
    assert suggest_colors(network(colors=None), GREY, (3, 3)) == []
    with pytest.raises(UserError, match="x = 60, y = 1 is not in the photo of 60 x 40 px"):
        suggest_colors(network(), GREY, (60, 1))


def test_a_number_that_no_photo_reaches_is_refused():
    for x in (10**400, float("inf"), 1e300, True):
        with pytest.raises(UserError, match=r"entry 1: x = .*: must be pixels"):
            to_hints([{"x": x, "y": 0, "color": "#000000"}])
