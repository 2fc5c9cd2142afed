import numpy as np
import pytest
import torch
from skimage.color import deltaE_ciede2000, lab2rgb, rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from colorize.lab import to_grey
from colorize.metrics import ab_error, ciede2000, psnr_ab
from common.evaluation.metrics import psnr, ssim
from common.losses.color import colorfulness


@pytest.fixture
def pair(noise):
    """Two photos (1, 3, 64, 48) in steps of 1/255."""
    target = (noise[:1] * 255).round() / 255
    pred = ((0.8 * target + 0.1).clamp(0, 1) * 255).round() / 255
    return pred, target


def arrays(pair):
    return [image[0].double().movedim(0, -1).numpy() for image in pair]


def test_psnr_and_ssim_are_scikit_images(pair):
    pred, target = arrays(pair)
    assert psnr(*pair, peak=1).item() == pytest.approx(peak_signal_noise_ratio(target, pred, data_range=1), abs=1e-3)
    gaussian = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    _, windows = structural_similarity(target, pred, channel_axis=2, data_range=1, full=True, **gaussian)
    assert ssim(*pair, peak=1).item() == pytest.approx(windows[5:-5, 5:-5].mean(), abs=1e-4)


def test_ab_figures_are_those_of_scikit_images_lab(pair):
    pred, target = (rgb2lab(image)[..., 1:] for image in arrays(pair))
    assert ab_error(*pair).item() == pytest.approx(abs(pred - target).mean(), abs=0.01)
    assert psnr_ab(*pair).item() == pytest.approx(peak_signal_noise_ratio(target, pred, data_range=255), abs=0.01)


def test_ciede2000_is_scikit_images_of_its_own_lab_however_it_is_divided(pair, monkeypatch):
    expected = deltaE_ciede2000(*map(rgb2lab, arrays(pair))).mean()
    assert ciede2000(*pair) == pytest.approx(expected, abs=0.01)
    monkeypatch.setattr("colorize.metrics.BAND", 500)  # of 48 x 64: rows of ten
    assert ciede2000(*pair) == pytest.approx(expected, abs=0.01)


def test_ciede2000_of_a_published_pair():
    # Pair 25 of Sharma et al. 2005, whose L*a*b* differ by 1.2644.
    labs = torch.tensor([[60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387]])[:, :, None, None]
    colours = torch.from_numpy(lab2rgb(labs.movedim(1, -1).double().numpy())).movedim(-1, 1)
    assert ciede2000(*colours.split(1)) == pytest.approx(1.2644, abs=0.25)  # rounded to 8 bits


def test_lightness_counts_nothing_in_ab_figures():
    light, dark = torch.full((1, 3, 16, 16), 0.8), torch.full((1, 3, 16, 16), 0.2)
    assert ab_error(light, dark).item() == pytest.approx(0, abs=0.1)
    assert psnr_ab(light, dark).item() > 60
    assert psnr(light, dark, peak=1).item() == pytest.approx(-20 * np.log10(0.6), abs=1e-3)


def test_colourfulness_of_one_colour_is_its_mean_term():
    red = torch.tensor([1.0, 0.0, 0.0])[None, :, None, None].expand(1, 3, 8, 8)
    # rg = 255, yb = 127.5, no deviation
    assert colorfulness(red).item() == pytest.approx(0.3 * np.hypot(255, 127.5), rel=1e-5)


def test_colourfulness_of_half_red_half_green():
    image = torch.zeros(1, 3, 8, 8)
    image[:, 0, :, :4] = image[:, 1, :, 4:] = 1
    # rg = +-255: deviation 255, mean 0; yb = 127.5 throughout
    assert colorfulness(image).item() == pytest.approx(255 + 0.3 * 127.5, rel=1e-5)


def test_grey_has_no_colourfulness(noise):
    assert colorfulness(to_grey(noise)).max() < 0.01
