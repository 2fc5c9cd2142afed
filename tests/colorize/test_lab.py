import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from colorize.lab import get_ab, set_ab, to_grey


def lab(rgb):
    """(N, 3, H, W) -> the same in L*a*b*, by scikit-image."""
    return torch.from_numpy(rgb2lab(rgb.double().movedim(1, -1).numpy())).movedim(-1, 1).float()


def test_ab_is_scikit_images(noise):
    torch.testing.assert_close(get_ab(noise), lab(noise)[:, 1:], atol=0.05, rtol=0)


def test_the_grey_photo_has_the_lightness_of_the_colours(noise):
    grey = to_grey(noise)
    assert torch.equal(grey[:, 0], grey[:, 1])
    assert torch.equal(grey[:, 0], grey[:, 2])
    torch.testing.assert_close(lab(grey)[:, 0], lab(noise)[:, 0], atol=0.02, rtol=0)


def test_grey_of_pure_blue_is_as_dark_as_blue_looks():
    blue = torch.tensor([0.0, 0.0, 1.0])[None, :, None, None]
    # Y = 0.0722, L* = 116 * 0.0722 ** (1 / 3) - 16 = 32.3; the sRGB grey of that Y is 1.055 * Y ** (1 / 2.4) - 0.055
    assert to_grey(blue)[0, 0].item() == pytest.approx(1.055 * 0.0722 ** (1 / 2.4) - 0.055, abs=1e-3)


def test_grey_stays_as_it_is():
    grey = torch.linspace(0, 1, 256).expand(1, 3, 1, 256)
    torch.testing.assert_close(to_grey(grey), grey, atol=1e-5, rtol=0)


def test_a_photos_own_colours_laid_onto_its_grey_give_the_photo(noise):
    torch.testing.assert_close(set_ab(to_grey(noise), get_ab(noise)), noise, atol=1e-3, rtol=0)


@pytest.mark.parametrize("strength", [5, 60, 1000])
def test_lightness_stays_whatever_the_colours(noise, strength):
    ab = strength * torch.randn(2, 2, 64, 48)
    coloured = set_ab(noise, ab)
    assert 0 <= coloured.min() <= coloured.max() <= 1
    torch.testing.assert_close(lab(coloured)[:, 0], lab(noise)[:, 0], atol=0.05, rtol=0)


def test_after_rounding_to_8_bits_lightness_is_within_a_third(noise):
    greys = (torch.arange(256) / 255).repeat_interleave(40).expand(1, 3, 1, -1)
    coloured = set_ab(greys, 40 * torch.randn(1, 2, 1, 256 * 40))
    rounded = (coloured * 255).round() / 255
    assert (lab(rounded)[:, 0] - lab(greys)[:, 0]).abs().max() < 0.3


def test_colours_out_of_gamut_are_mixed_with_grey_until_one_channel_just_fits():
    grey = torch.full((1, 3, 1, 1), 0.5)
    far = set_ab(grey, torch.tensor([0.0, 300.0])[None, :, None, None])[0, :, 0, 0]
    assert far[2] == pytest.approx(0, abs=1e-4)  # no more yellow than without any blue
    assert far[0] > 0.5 > far[2]


def test_white_and_black_take_no_colour():
    ends = torch.tensor([0.0, 1.0]).expand(1, 3, 1, 2)
    torch.testing.assert_close(set_ab(ends, torch.full((1, 2, 1, 2), 50.0)), ends, atol=1e-3, rtol=0)


@pytest.mark.parametrize("ab", [(0.0, 300.0), (0.0, -300.0), (300.0, 0.0), (-300.0, 0.0)])
@pytest.mark.parametrize("tone", [0.1, 0.5, 0.9])
def test_colours_out_of_gamut_are_still_pulled_back(ab, tone):
    ab = torch.tensor(ab)[None, :, None, None].requires_grad_()
    grey = torch.full((1, 3, 1, 1), tone)
    (set_ab(grey, ab) - grey).square().sum().backward()
    assert (ab.grad * ab).sum() > 1e-4  # less of them is better


def test_a_constant_photo_gets_the_worked_colour():
    # L* 53.2, a* 80.1, b* 67.2 is pure sRGB red.
    red = torch.tensor([1.0, 0.0, 0.0])[None, :, None, None]
    coloured = set_ab(to_grey(red), torch.tensor([80.1, 67.2])[None, :, None, None])
    assert np.allclose(coloured.flatten(), red.flatten(), atol=0.02)
