import numpy as np
import pytest
import torch

from common.losses.frequency import fft_loss, focal_frequency_loss
from common.losses.pixels import mse_loss


def numpy_spectrum(pred, target):
    """Lengths of the difference of two spectra, each computed for itself."""
    return np.abs(np.fft.fft2(pred.double(), norm="ortho") - np.fft.fft2(target.double(), norm="ortho"))


def test_fft_loss_agrees_with_numpy(noise):
    expected = numpy_spectrum(noise.flip(2), noise).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(fft_loss(noise.flip(2), noise), expected, rtol=1e-5)


def test_the_fft_loss_of_a_constant_offset_is_the_offset_over_the_root_of_the_pixels():
    pred = torch.full((1, 3, 8, 6), 0.1)  # all in one of 48 frequencies, sqrt(48) times as large
    assert fft_loss(pred, torch.zeros_like(pred)).item() == pytest.approx(0.1 / 48**0.5)


def test_focal_frequency_loss_agrees_with_numpy(noise):
    for alpha in (1.0, 0.5, 2.0):
        lengths = numpy_spectrum(noise.flip(2), noise)
        weights = lengths**alpha / (lengths**alpha).max(axis=(2, 3), keepdims=True)
        expected = (weights * lengths**2).mean(axis=(1, 2, 3))
        np.testing.assert_allclose(focal_frequency_loss(noise.flip(2), noise, alpha), expected, rtol=1e-5)


def test_focal_frequency_loss_with_equal_weights_is_the_mean_squared_error(noise):
    torch.testing.assert_close(focal_frequency_loss(noise.flip(2), noise, 0), mse_loss(noise.flip(2), noise))


def test_the_weights_of_the_focal_frequency_loss_have_no_gradient(noise):
    pred = noise.flip(2).requires_grad_()
    focal_frequency_loss(pred, noise).sum().backward()
    # 2 w times the transform of the difference, transformed back, over the number of values
    spectrum = np.fft.fft2((noise.flip(2) - noise).double())
    lengths = np.abs(spectrum)
    weighted = lengths / lengths.max(axis=(2, 3), keepdims=True) * spectrum
    expected = 2 * np.fft.ifft2(weighted).real / (3 * 64 * 48)
    np.testing.assert_allclose(pred.grad, expected, rtol=1e-3, atol=1e-9)
