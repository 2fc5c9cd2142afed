"""SSIM on a GPU that rounds the operands of its convolutions, simulated."""

import numpy as np
import pytest
import torch
from kornia.metrics import ssim as ssim_map
from PIL import Image
from torch.nn import functional as F

from common.batches.folders import sample_photos
from common.evaluation.metrics import shaved_luma, ssim, ssim_y
from common.losses.structure import ssim_loss
from common.photos.pixels import to_tensor


class To11Bits(torch.autograd.Function):
    """float32 -> the nearest number with 10 bits of mantissa; so is the gradient that comes back."""

    @staticmethod
    def forward(ctx, x):
        return ((x.contiguous().view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)

    @staticmethod
    def backward(ctx, gradient):
        return To11Bits.apply(gradient) if gradient.dtype == torch.float32 else gradient


@pytest.fixture
def pair():
    """A photo that is bright and has little contrast, and the same with noise."""
    with Image.open(sample_photos()[2]) as image:
        photo = to_tensor(np.asarray(image.convert("RGB").crop((100, 100, 260, 228)))) * 0.1 + 0.85
    return (photo + 0.01 * torch.randn_like(photo)).clamp(0, 1), photo


@pytest.fixture
def tf32(monkeypatch):
    exact = F.conv2d

    def rounded(x, weight, *args, **kwargs):
        if x.dtype == torch.float32:
            x, weight = To11Bits.apply(x), To11Bits.apply(weight)
        return exact(x, weight, *args, **kwargs)

    monkeypatch.setattr(F, "conv2d", rounded)
    monkeypatch.setattr("common.runtime.accelerator.ROUNDING", ("cpu",))


def exact_loss(pred, target):
    pred = pred.double().requires_grad_()
    loss = 1 - ssim_map(pred, target.double(), window_size=11, padding="valid").mean()
    loss.backward()
    return loss.item(), pred.grad.float()


def test_the_loss_and_its_gradient_are_those_of_float64(pair, tf32):
    loss, gradient = exact_loss(*pair)
    rounded = 1 - ssim_map(*pair, window_size=11, padding="valid").mean().item()
    assert abs(rounded - loss) > 0.01  # the simulation does what it should
    pred = pair[0].clone().requires_grad_()
    ours = ssim_loss(pred, pair[1])
    ours.backward()
    assert ours.item() == pytest.approx(loss, abs=1e-5)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(pred.grad, gradient, rtol=1e-3, atol=1e-7)


def test_the_metrics_are_those_of_float64(pair, tf32):
    expected = 1 - exact_loss(*pair)[0]
    assert ssim(*pair, peak=1).item() == pytest.approx(expected, abs=1e-5)
    lumas = (shaved_luma(image, border=2).double() for image in pair)
    exact = ssim_map(*lumas, window_size=11, max_val=255.0, eps=0.0, padding="valid").mean().item()
    assert ssim_y(*pair, border=2).item() == pytest.approx(exact, abs=1e-5)
    assert ssim_y(*pair, border=2).dtype == torch.float32
