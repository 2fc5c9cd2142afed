from functools import partial

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.metrics import structural_similarity
from torch.nn import functional as F
from torchmetrics.functional.image import structural_similarity_index_measure as torchmetrics_ssim

from common.losses.structure import SCALES, gradient_loss, laplacian_loss, ms_ssim_loss, ssim_loss


def noisy(height, width):
    """Random squares of four pixels with noise, and without."""
    target = torch.rand(2, 3, height // 4 + 1, width // 4 + 1).repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    target = target[..., :height, :width]
    return (target + torch.tensor([0.1, 0.3]).view(2, 1, 1, 1) * torch.randn_like(target)).clamp(0, 1), target


def test_ssim_agrees_with_scikit_image(noise):
    pred = (noise + 0.1 * torch.randn_like(noise)).clamp(0, 1)
    expected = []
    for p, t in zip(pred.numpy(), noise.numpy(), strict=True):
        _, full = structural_similarity(
            p, t, win_size=11, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
            data_range=1.0, channel_axis=0, full=True,
        )  # fmt: skip
        expected.append(1 - full[:, 5:-5, 5:-5].mean())
    np.testing.assert_allclose(ssim_loss(pred, noise), expected, atol=1e-4)


@pytest.mark.parametrize(("side", "scales"), [(192, 5), (176, 5), (175, 4), (44, 3), (43, 2), (21, 1), (11, 1)])
def test_ms_ssim_of_as_many_scales_as_fit_agrees_with_torchmetrics(side, scales):
    """Scale by scale: at the coarsest, torchmetrics' own MS-SSIM takes the border in that it has padded."""
    pred, target = pair = noisy(side, 192)
    expected, total = torch.ones(2), sum(SCALES[:scales])
    for scale in range(1, scales + 1):
        ssim = partial(torchmetrics_ssim, *pair, data_range=1.0, reduction="none")
        if scale == scales:
            mean = ssim(return_full_image=True)[1][..., 5:-5, 5:-5].mean(dim=(1, 2, 3))
        else:
            mean = ssim(return_contrast_sensitivity=True)[1]
        expected, pair = expected * mean ** (SCALES[scale - 1] / total), [F.avg_pool2d(picture, 2) for picture in pair]
    torch.testing.assert_close(ms_ssim_loss(pred, target), 1 - expected, rtol=0, atol=1e-5)


def test_ms_ssim_of_a_negative_is_0_with_a_finite_gradient():
    target = noisy(48, 48)[1]
    pred = (1 - target).requires_grad_()
    each = ms_ssim_loss(pred, target)
    each.sum().backward()
    assert each.tolist() == [1, 1]
    assert pred.grad.isfinite().all()


def test_ms_ssim_is_in_float64_where_float32_is_rounded(monkeypatch):
    pair = noisy(48, 48)
    monkeypatch.setattr("common.runtime.accelerator.ROUNDING", ("cpu",))
    expected = ms_ssim_loss(*(picture.double() for picture in pair))
    assert torch.equal(ms_ssim_loss(*pair), expected.float())


def test_gradient_loss_agrees_with_scipy(noise):
    right = np.outer([1, 2, 1], [-1, 0, 1])[None, None] / 8
    difference = (noise.flip(3) - noise).double().numpy()
    slopes = [ndimage.correlate(difference, kernel, mode="nearest") for kernel in (right, right.swapaxes(2, 3))]
    expected = np.abs(slopes).mean(axis=(0, 2, 3, 4))
    np.testing.assert_allclose(gradient_loss(noise.flip(3), noise), expected, rtol=1e-5)


def test_gradient_loss_of_a_ramp_is_its_slope_one_way_and_0_the_other():
    ramp = 0.01 * torch.arange(50.0).expand(1, 3, 50, 50)
    assert gradient_loss(ramp, torch.zeros_like(ramp)).item() == pytest.approx(0.01 / 2 * 49 / 50)  # half at the border


def test_laplacian_loss_agrees_with_scipy(noise):
    rest, kernel = (noise.flip(3) - noise).double().numpy(), np.array([1, 4, 6, 4, 1]) / 16
    expected = 0
    for _ in range(3):
        blurred = ndimage.correlate1d(
            ndimage.correlate1d(rest, kernel, axis=2, mode="mirror"), kernel, 3, mode="mirror"
        )
        half = blurred.reshape(2, 3, blurred.shape[2] // 2, 2, -1, 2).mean(axis=(3, 5))
        large = ndimage.zoom(half, (1, 1, 2, 2), order=1, mode="nearest", grid_mode=True)
        expected, rest = expected + np.abs(rest - large).mean(axis=(1, 2, 3)), half
    expected = expected + np.abs(rest).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(laplacian_loss(noise.flip(3), noise), expected, rtol=1e-5)


@pytest.mark.parametrize("size", [(37, 23), (5, 64), (3, 3), (2, 9), (1, 1)])
def test_laplacian_loss_of_a_constant_offset_is_the_offset_at_any_size(size):
    target = torch.rand(2, 3, *size)
    torch.testing.assert_close(laplacian_loss(target + 0.25, target, levels=9), torch.tensor([0.25, 0.25]))
