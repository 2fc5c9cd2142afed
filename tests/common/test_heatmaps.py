import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from common.losses.activations import draw_activations, draw_differences
from tests.commands import run

SIDE = 64


class Seen(nn.Module):
    """In place of a VGG16: channel 0 is the red of a picture, channel 1 a quarter of its blue."""

    def forward(self, picture):
        return {"relu1_1": torch.stack([picture[:, 0], picture[:, 2] / 4], dim=1)}


def half_red(left=1.0):
    """Red in its left half, blue everywhere."""
    picture = torch.zeros(1, 3, SIDE, SIDE)
    picture[:, 0, :, : SIDE // 2] = left
    picture[:, 2] = 1
    return picture


def column(picture, index, of):
    """The brightness of the middle of the left and of the right half of a drawn column."""
    pixels = np.asarray(picture.convert("L")).astype(float)
    width = pixels.shape[1] / of
    return [pixels[pixels.shape[0] // 2, int((index + part) * width)] for part in (0.3, 0.7)]


def test_the_strongest_channel_is_drawn_where_it_is_strong():
    picture = draw_activations(half_red(), Seen(), n_channels=2)
    left, right = column(picture, 1, of=3)  # red has a mean of 1/2, blue / 4 of 1/4
    assert left > right + 100
    left, right = column(draw_activations(half_red(0.1), Seen(), n_channels=1), 1, of=2)  # now blue is stronger
    assert left == pytest.approx(right, abs=20)


def test_differences_are_drawn_where_pictures_differ():
    picture = draw_differences([("target", half_red()), ("prediction", half_red(0.0))], Seen())
    left, right = column(picture, 2, of=6)
    assert left > right + 100
    same = draw_differences([("target", half_red()), ("prediction", half_red())], Seen())
    left, right = column(same, 2, of=6)
    assert max(left, right) < 150  # nothing but the photo, darkened
    assert max(column(same, 5, of=6)) < 10  # black: no difference between the Gram matrices


@pytest.mark.slow
def test_the_command_draws_one_photo_or_two(photos, tmp_path):
    one = run("common.heatmaps", photos / "0.png", "-o", tmp_path / "one.png", "--vgg=random", "--layers", "relu2_2")
    assert one.returncode == 0, one.stderr
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.width > picture.height
    words = [photos / "0.png", photos / "1.png", "-o", tmp_path / "two.png", "--vgg=random", "--distance=relative"]
    assert run("common.heatmaps", *words).returncode == 0
    again = run("common.heatmaps", *words)
    assert again.returncode == 2
    assert "two.png: exists; add --overwrite" in again.stderr


@pytest.mark.slow
def test_photos_of_two_sizes_are_refused(photos, tmp_path):
    Image.new("RGB", (20, 30)).save(tmp_path / "small.png")
    done = run("common.heatmaps", photos / "0.png", tmp_path / "small.png", "-o", tmp_path / "x.png", "--vgg=random")
    assert done.returncode == 2
    assert "80 x 72 and 20 x 30 px" in done.stderr
    assert not (tmp_path / "x.png").exists()
