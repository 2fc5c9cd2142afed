import math

import numpy as np
import pytest
import torch

from common.losses.contextual import MAX_POSITIONS, contextual_distance, thin


def by_the_formula(pred, target, bandwidth):
    """Of one picture: lists of positions, (P, C) and (P', C)."""
    center = target.mean(axis=0)
    pred, target = pred - center, target - center
    weights = np.empty((len(pred), len(target)))
    for i, x in enumerate(pred):
        d = np.array([1 - x @ y / np.linalg.norm(x) / np.linalg.norm(y) for y in target])
        weights[i] = np.exp((1 - d / (d.min() + 1e-5)) / bandwidth)
    shares = weights / weights.sum(axis=1, keepdims=True)
    return -math.log(np.mean([shares[:, j].max() for j in range(len(target))]))


@pytest.mark.parametrize("bandwidth", [0.1, 0.5])
def test_contextual_distance_is_that_of_its_formula(bandwidth):
    pred, target = torch.rand(2, 3, 4, 5, dtype=torch.float64), torch.rand(2, 3, 6, 2, dtype=torch.float64)
    expected = [
        by_the_formula(p.flatten(1).T.numpy(), t.flatten(1).T.numpy(), bandwidth)
        for p, t in zip(pred, target, strict=True)
    ]
    assert contextual_distance(pred, target, bandwidth).tolist() == pytest.approx(expected, rel=1e-6)
    assert contextual_distance(pred, target[:1], bandwidth)[0].item() == pytest.approx(expected[0], rel=1e-6)


def test_where_things_are_does_not_matter():
    target = torch.rand(1, 8, 6, 6)
    moved = target.roll((2, 3), dims=(2, 3))
    assert contextual_distance(moved, target).item() == pytest.approx(0, abs=1e-3)
    assert contextual_distance(torch.rand(1, 8, 6, 6), target).item() > 0.1


def test_all_alike_is_the_logarithm_of_the_positions():
    target = torch.rand(1, 3, 4, 5)
    assert contextual_distance(target.mean(dim=(2, 3), keepdim=True).expand(1, 3, 4, 5), target).item() == (
        pytest.approx(math.log(20), rel=1e-3)
    )


def test_gradients():
    pred, target = torch.rand(2, 2, 3, 3, 3, dtype=torch.float64).unbind()
    assert torch.autograd.gradcheck(contextual_distance, (pred.requires_grad_(), target.requires_grad_()))


@pytest.mark.parametrize("target", [torch.rand(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.3), torch.zeros(1, 3, 4, 4)])
def test_gradients_are_finite_at_the_target(target):
    pred = target.clone().requires_grad_()
    loss = contextual_distance(pred, target)
    (gradient,) = torch.autograd.grad(loss.sum(), pred)
    assert loss.isfinite().all() and gradient.isfinite().all()


def test_large_activations_are_thinned():
    assert thin(torch.rand(1, 2, 64, 64)).shape == (1, 2, 64, 64)
    activation = torch.rand(1, 2, 100, 90)
    assert torch.equal(thin(activation), activation[:, :, ::2, ::2])
    for h, w in ((65, 64), (1, 10000), (300, 200)):
        assert MAX_POSITIONS / 5 < thin(torch.rand(1, 1, h, w)).numel() <= MAX_POSITIONS


def test_products_keep_all_bits_under_autocast():
    pred, target = torch.rand(2, 1, 16, 8, 8).unbind()
    expected = contextual_distance(pred, target)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(contextual_distance(pred, target), expected)
