"""How far a hint reaches."""

import math

import pytest
import torch

from colorize.lab import get_ab, to_grey
from colorize.spread import DISTANCE, FAINT, LIGHTNESS, SEEN, Place, colors_at, spread

BLUE = torch.tensor([5.0, -30.0])


@pytest.fixture
def grey():
    """(1, 3, 32, 64): a mid grey."""
    return torch.full((1, 3, 32, 64), 0.5)


@pytest.fixture
def alike():
    """What an encoder sees that sees the same everywhere."""
    return torch.ones(1, 2, 4, 8)


def corrected(weight):
    return BLUE * weight * (1 + FAINT) / (weight + FAINT)


def at(picture, row, column):
    return get_ab(picture)[0, :, row, column]


def test_a_hint_is_followed_where_it_is_given_and_less_far_away(grey, alike):
    result = spread(grey, alike, [Place(16, 8, BLUE)])
    torch.testing.assert_close(at(result, 16, 8), corrected(1), atol=0.05, rtol=0)
    weight = math.exp(-((40 / 32) ** 2) / DISTANCE**2)
    torch.testing.assert_close(at(result, 16, 48), corrected(weight), atol=0.05, rtol=0)
    torch.testing.assert_close(to_grey(result), to_grey(grey), atol=2e-3, rtol=0)


def test_it_reaches_what_is_as_light(grey, alike):
    grey[..., 32:] = 0.6
    result = spread(grey, alike, [Place(16, 24, BLUE)])
    steps = 116 * (((0.6 + 0.055) / 1.055) ** (2.4 / 3) - ((0.5 + 0.055) / 1.055) ** (2.4 / 3))  # of L*
    weight = math.exp(-((steps / LIGHTNESS) ** 2) - ((8 / 32) / DISTANCE) ** 2)
    torch.testing.assert_close(at(result, 16, 32), corrected(weight), atol=0.1, rtol=0)


def test_it_reaches_what_the_encoder_sees_as_the_same(grey):
    seen = torch.zeros(1, 2, 4, 8)
    seen[:, 0, :, :4], seen[:, 1, :, 4:] = 1, 3  # other things to the left and to the right
    result = spread(grey, seen, [Place(16, 8, BLUE)])
    near, far = math.exp(-(((8 / 32) / DISTANCE) ** 2)), math.exp(-1 / SEEN - ((48 / 32) / DISTANCE) ** 2)
    torch.testing.assert_close(at(result, 16, 16), corrected(near), atol=0.1, rtol=0)
    torch.testing.assert_close(at(result, 16, 56), corrected(far), atol=0.1, rtol=0)


def test_of_two_hints_each_colours_what_is_around_it(grey, alike):
    orange = torch.tensor([20.0, 30.0])
    result = spread(grey, alike, [Place(16, 4, BLUE), Place(16, 60, orange)])
    torch.testing.assert_close(at(result, 16, 4), BLUE, atol=1, rtol=0)
    torch.testing.assert_close(at(result, 16, 60), orange, atol=1, rtol=0)


def test_without_hints_nothing_changes(grey, alike):
    assert spread(grey, alike, []) is grey


def test_the_colour_of_a_square_is_its_mean():
    picture = torch.rand(1, 3, 9, 9)
    torch.testing.assert_close(colors_at(picture, 4, 0, 3), get_ab(picture)[0, :, 3:6, 0:2].mean(dim=(1, 2)))
