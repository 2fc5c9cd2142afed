import numpy as np
import pytest
import torch
from scipy.special import huber
from skimage.metrics import peak_signal_noise_ratio

from common.losses.pixels import charbonnier_loss, huber_loss, l1_loss, mse_loss, psnr_loss, psnr_mae_loss


@pytest.fixture
def offsets():
    """Images off by 0.1 and by 0.01."""
    target = torch.zeros(2, 3, 4, 4)
    return torch.stack([torch.full((3, 4, 4), 0.1), torch.full((3, 4, 4), 0.01)]), target


def test_l1_and_mse_of_constant_offsets(offsets):
    torch.testing.assert_close(l1_loss(*offsets), torch.tensor([0.1, 0.01]))
    torch.testing.assert_close(mse_loss(*offsets), torch.tensor([1e-2, 1e-4]))


def test_charbonnier_is_the_long_side_of_a_right_triangle(offsets):
    torch.testing.assert_close(charbonnier_loss(*offsets, eps=0.24), torch.tensor([0.26, 0.2402082]))  # 0.1, 0.24, 0.26
    assert charbonnier_loss(*offsets)[0].item() == pytest.approx(0.1, rel=1e-4)


def test_huber_agrees_with_scipy(noise):
    pred = noise.flip(2)
    expected = huber(0.1, (pred - noise).numpy()).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(huber_loss(pred, noise), expected, rtol=1e-5)


def test_psnr_agrees_with_scikit_image(noise):
    pred = noise + 0.1 * torch.randn_like(noise)
    expected = [-peak_signal_noise_ratio(t, p, data_range=1) for t, p in zip(noise.numpy(), pred.numpy(), strict=True)]
    np.testing.assert_allclose(psnr_loss(pred, noise), expected, rtol=1e-5)


def test_psnr_of_a_worked_error(offsets):
    torch.testing.assert_close(psnr_loss(*offsets), torch.tensor([-20.0, -40.0]))  # 10 log10(1 / 0.1**2) = 20 dB
    torch.testing.assert_close(psnr_mae_loss(*offsets), torch.tensor([-10.0, -20.0]))


def test_psnr_and_psnr_on_mae_rank_errors_differently():
    target = torch.zeros(1, 3, 10, 10)
    spread, spot = torch.full_like(target, 0.1), target.clone()
    spot[:, :, 0, :5] = 1.0  # a twentieth of the pixels wholly wrong: less absolute error, more squared error
    assert psnr_loss(spread, target) < psnr_loss(spot, target)
    assert psnr_mae_loss(spread, target) > psnr_mae_loss(spot, target)
