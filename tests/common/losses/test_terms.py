"""What every term of pictures has in common: one value per image, and gradients that can be trained with."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F

from common.losses.artefacts import grid_loss, ldl_loss, tv_loss
from common.losses.color import chroma_loss, colorfulness_loss, input_loss, lowres_loss
from common.losses.frequency import fft_loss, focal_frequency_loss
from common.losses.pixels import charbonnier_loss, huber_loss, l1_loss, mse_loss, psnr_loss, psnr_mae_loss
from common.losses.structure import gradient_loss, laplacian_loss, ms_ssim_loss, ssim_loss

DISTANCES = {  # what equal pictures cost, which is the least
    l1_loss: 0, mse_loss: 0, charbonnier_loss: 1e-3, huber_loss: 0, psnr_loss: -100, psnr_mae_loss: -100,
    ssim_loss: 0, ms_ssim_loss: 0, gradient_loss: 0, laplacian_loss: 0, fft_loss: 0, focal_frequency_loss: 0,
    chroma_loss: 0, lowres_loss: 0, ldl_loss: 0, grid_loss: 0,
}  # fmt: skip


def input_of_half_size_loss(pred, target):
    return input_loss(pred, target, F.avg_pool2d(target, 2))


TERMS = [*DISTANCES, tv_loss, colorfulness_loss, input_of_half_size_loss]
WEIGHTS_WITHOUT_GRADIENT = (focal_frequency_loss, ldl_loss)  # their own files have the test of their gradients
SMOOTH = [*(term for term in TERMS if term not in WEIGHTS_WITHOUT_GRADIENT), partial(focal_frequency_loss, alpha=0)]


def name(term):
    return getattr(term, "__name__", "focal_frequency_loss of equal weights")


each_term = pytest.mark.parametrize("term", TERMS, ids=name)


@pytest.fixture
def pair():
    """Two (3, 3, 24, 25) near to each other: at 24 MS-SSIM has two scales."""
    target = torch.rand(3, 3, 24, 25)
    return 0.05 + 0.9 * target + 0.05 * torch.rand_like(target), target


def gradient(term, pred, target):
    pred = pred.clone().requires_grad_()
    term(pred, target).sum().backward()
    return pred.grad


@each_term
def test_an_image_costs_the_same_in_any_batch(term, pair):
    alone = [term(pred[None], target[None]) for pred, target in zip(*pair, strict=True)]
    assert [each.shape for each in alone] == [(1,)] * 3
    torch.testing.assert_close(term(*pair), torch.cat(alone), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("term", "least"), DISTANCES.items(), ids=map(name, DISTANCES))
def test_equal_pictures_cost_least(term, least, pair):
    pred, target = pair
    torch.testing.assert_close(term(target, target), torch.full((3,), float(least)), rtol=1e-5, atol=1e-6)
    assert (term(pred, target) > least).all()


@pytest.mark.parametrize("term", SMOOTH, ids=name)
def test_gradients_are_those_of_finite_differences(term, pair):
    pred, target = (picture.double() for picture in pair)
    assert torch.autograd.gradcheck(term, (pred.requires_grad_(), target), fast_mode=True)


@each_term
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_gradients_are_finite_for_equal_and_for_grey_pictures(term, level, pair):
    target, grey = pair[1], torch.full((3, 3, 24, 25), level)
    for pred, goal in ((target, target), (grey, grey), (grey, target), (target, grey)):
        assert gradient(term, pred, goal).isfinite().all()


@each_term
def test_gradients_are_finite_for_predictions_out_of_range(term, pair):
    for pred in (4 * pair[0] - 2, pair[0] - 2, pair[0] + 2):
        assert term(pred, pair[1]).isfinite().all()
        assert gradient(term, pred, pair[1]).isfinite().all()


@each_term
def test_autocast_that_is_off_within_one_that_is_on_changes_nothing(term, pair):
    expected = term(*pair)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.autocast("cpu", enabled=False):
        each = term(*pair)
    assert each.dtype == torch.float32
    torch.testing.assert_close(each, expected, rtol=1e-5, atol=0)
