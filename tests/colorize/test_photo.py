import numpy as np
import pytest
import torch
from skimage.color import rgb2lab
from torch import nn

from colorize import photo as photo_module
from colorize.lab import set_ab
from colorize.photo import PhotoColorizer, color_photo
from common.photos.flat import shrunk_size


class Painter(nn.Module):
    """Stands in for a Colorizer: b* grows with lightness, a* from left to right."""

    def __init__(self):
        super().__init__()
        self.parameter = nn.Parameter(torch.zeros(1))
        self.seen, self.size = [], 40

    def forward(self, grey):
        self.seen.append(tuple(grey.shape[-2:]))
        across = torch.linspace(-30, 30, grey.shape[-1]).expand_as(grey[:, :1])
        return set_ab(grey, torch.cat([across, 60 * grey[:, :1] - 30], dim=1))


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (75, 110, 3), np.uint8)


@pytest.mark.parametrize(("photo", "size", "expected"), [
    ((3000, 4000), 192, (192, 256)),
    ((4000, 3000), 100, (133, 100)),
    ((50, 80), 192, (50, 80)),
    ((1, 5000), 64, (1, 5000)),
])  # fmt: skip
def test_the_copy_has_the_given_short_side_and_is_never_enlarged(photo, size, expected):
    assert shrunk_size(*photo, size) == expected


@pytest.mark.parametrize("size", [16, 64, 500])
def test_lightness_stays_within_rounding(pixels, size):
    result = color_photo(Painter(), pixels, size)
    assert (result.shape, result.dtype) == (pixels.shape, np.uint8)
    before, after = rgb2lab(pixels), rgb2lab(result)
    assert abs(after[..., 0] - before[..., 0]).max() < 0.35
    assert abs(after[..., 1:]).mean() > 5


def test_the_network_sees_the_small_copy_only(pixels):
    painter = Painter()
    color_photo(painter, pixels, 25)
    assert painter.seen == [(25, 37)]


def test_the_colours_of_the_photo_are_not_looked_at(pixels):
    grey = np.repeat(pixels[..., :1], 3, axis=2)
    tinted = photo_module.in_bands(lambda image: set_ab(image, torch.full((1, 2, *image.shape[-2:]), 15.0)), grey)
    first, second = (color_photo(Painter(), image, 40).astype(int) for image in (grey, tinted))
    assert abs(first - second).mean() < 1  # the tinted photo's lightness was rounded


def test_bands_change_nothing(pixels, monkeypatch):
    whole = color_photo(Painter(), pixels, 40)
    monkeypatch.setattr(photo_module, "BAND", 7 * 110)
    assert np.array_equal(color_photo(Painter(), pixels, 40), whole)


def test_saturation_multiplies_the_colours(pixels):
    grey = np.full_like(pixels, 120)
    once, twice = (rgb2lab(color_photo(Painter(), grey, 40, saturation=s))[..., 1:] for s in (0.5, 1.0))
    assert np.allclose(2 * once, twice, atol=2)
    assert np.array_equal(color_photo(Painter(), grey, 40, saturation=0), grey)


def test_smooth_colours_come_through_a_small_copy():
    y, x = np.mgrid[:160, :200]
    ab = torch.from_numpy(np.stack([30 * np.sin(x / 40), 30 * np.cos(y / 30)])).float()[None]

    class Truth(nn.Module):
        def __init__(self):
            super().__init__()
            self.parameter = nn.Parameter(torch.zeros(1))

        def forward(self, grey):
            return set_ab(grey, nn.functional.interpolate(ab, grey.shape[-2:], mode="bilinear", antialias=True))

    grey = np.full((160, 200, 3), 128, np.uint8)
    result = rgb2lab(color_photo(Truth(), grey, 32))[..., 1:]
    assert abs(result - ab[0].movedim(0, -1).numpy()).mean() < 0.8


def test_the_exported_network_does_the_same(pixels):
    whole = PhotoColorizer(Painter())(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255)
    ours = color_photo(Painter(), pixels).astype(float)
    difference = abs(ours - 255 * whole[0].permute(1, 2, 0).detach().numpy())
    assert difference.mean() < 1
    assert difference.max() < 6  # the command rounds the small copy to 8 bits, this does not


def test_with_16_bits_lightness_stays_a_hundred_times_as_exactly(pixels):
    deep = pixels.astype(np.uint16) * 257
    result = color_photo(Painter(), deep, 64)
    assert result.dtype == np.uint16
    assert abs(rgb2lab(result)[..., 0] - rgb2lab(deep)[..., 0]).max() < 0.003
    assert abs(result / 257 - color_photo(Painter(), pixels, 64)).max() <= 0.6
