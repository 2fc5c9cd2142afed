import numpy as np
import pytest
import torch

from common.losses.artefacts import artefact_map, grid_loss, ldl_loss, tv_loss


def numpy_map(pred, target, size):
    residual = np.abs((pred - target).double().numpy()).sum(axis=1)
    padded = np.pad(residual, ((0, 0), (size // 2, size // 2), (size // 2, size // 2)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))
    return (residual.var(axis=(1, 2), ddof=1)[:, None, None] ** 0.2 * windows.var(axis=(3, 4), ddof=1))[:, None]


def test_tv_of_a_worked_picture():
    image = torch.tensor([[0.0, 1.0], [0.0, 0.0]]).expand(1, 3, 2, 2)  # steps right: 1, 0; steps down: 0, 1
    assert tv_loss(image, image).item() == pytest.approx(0.5 + 0.5)


def test_tv_agrees_with_numpy(noise):
    steps = [np.abs(np.diff(noise.numpy(), axis=axis)).mean(axis=(1, 2, 3)) for axis in (2, 3)]
    np.testing.assert_allclose(tv_loss(noise, noise), sum(steps), rtol=1e-5)


@pytest.mark.parametrize("size", [7, 3])
def test_ldl_agrees_with_numpy(noise, size):
    pred = noise.flip(2)
    expected = (numpy_map(pred, noise, size) * np.abs((pred - noise).numpy())).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(ldl_loss(pred, noise, size), expected, rtol=1e-5)


def test_the_map_of_ldl_has_no_gradient(noise):
    pred = noise.flip(2).requires_grad_()
    ldl_loss(pred, noise).sum().backward()
    expected = numpy_map(pred.detach(), noise, 7) * np.sign((pred.detach() - noise).numpy()) / (3 * 64 * 48)
    np.testing.assert_allclose(pred.grad, expected, rtol=1e-4, atol=1e-10)


def test_an_error_that_is_the_same_everywhere_is_no_artefact(noise):
    assert ldl_loss(noise + 0.5, noise).max() < 1e-6


def test_the_map_of_ldl_is_bright_where_an_error_stands_alone():
    residual = torch.zeros(1, 1, 32, 32)
    residual[..., 10, 20] = 1
    bright = artefact_map(residual, 7)[0, 0] > 0
    rows, columns = bright.nonzero(as_tuple=True)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (7, 13, 17, 23)
    assert bright.sum() == 7 * 7


@pytest.mark.parametrize(("period", "window"), [(2, 8), (4, 3), (3, 100)])
def test_grid_agrees_with_numpy(noise, period, window):
    pred = noise.flip(2)
    error = (pred - noise).double().numpy()
    rows, columns = (size // period for size in error.shape[2:])
    squares = error[..., : rows * period, : columns * period].reshape(*error.shape[:2], rows, period, columns, period)
    squares = squares.transpose(0, 1, 3, 5, 2, 4).reshape(*error.shape[:2], period**2, rows, columns)
    side = min(window, rows, columns)
    windows = np.lib.stride_tricks.sliding_window_view(squares, (side, side), axis=(3, 4))
    local = windows[:, :, :, :: max(1, side // 2), :: max(1, side // 2)].mean(axis=(-2, -1))
    expected = np.abs(local - local.mean(axis=2, keepdims=True)).mean(axis=(1, 2, 3, 4))
    np.testing.assert_allclose(grid_loss(pred, noise, period, window), expected, rtol=1e-4)


def test_grid_sees_dots_alone():
    picture = torch.rand(1, 3, 64, 64)
    dots = torch.zeros(64, 64)
    dots[::2, ::2] = 0.04  # one of four places is brighter by 0.04: 0.03 above their mean, the others 0.01 below
    assert grid_loss(picture + dots, picture, period=2).item() == pytest.approx((0.03 + 3 * 0.01) / 4, rel=1e-4)
    assert grid_loss(picture + dots, picture).item() == pytest.approx((0.03 + 3 * 0.01) / 4, rel=1e-4)
    assert grid_loss(picture + 0.3, picture).max() < 1e-6
    assert grid_loss(picture + dots.roll(1, 0), picture, period=3).item() < 1e-3  # at another period they average out


def test_a_period_larger_than_the_crop_is_the_crop(noise):
    assert grid_loss(noise.flip(2), noise, period=500).shape == (len(noise),)
