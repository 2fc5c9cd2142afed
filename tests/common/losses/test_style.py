import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from common.losses.style import (
    channel_statistics,
    random_directions,
    sliced_distance,
    sorted_distance,
    sorted_projections,
    statistics_distance,
)


def test_statistics_are_those_of_numpy():
    features = torch.rand(2, 3, 4, 5)
    statistics = channel_statistics(features)
    assert statistics.shape == (2, 2, 3)
    np.testing.assert_allclose(statistics[:, 0], features.numpy().mean(axis=(2, 3)), rtol=1e-5)
    np.testing.assert_allclose(statistics[:, 1], features.numpy().std(axis=(2, 3)), rtol=1e-5)


def test_statistics_distance_of_hand_numbers():
    pred = torch.tensor([[[[1.0, 3.0]], [[5.0, 5.0]]]])  # means 2, 5; deviations 1, 0
    target = torch.tensor([[[[0.0, 4.0]], [[2.0, 2.0]]]])  # means 2, 2; deviations 2, 0
    distance = statistics_distance(channel_statistics(pred), channel_statistics(target))
    assert distance.tolist() == pytest.approx([((0 + 1) + (9 + 0)) / 2])


def test_statistics_of_styles_can_be_mixed():
    a, b = torch.rand(2, 1, 3, 4, 4).unbind()
    half = (channel_statistics(a) + channel_statistics(b)) / 2
    towards = [statistics_distance(channel_statistics(x), half).item() for x in (a, b)]
    assert towards[0] == pytest.approx(towards[1], rel=1e-4)
    assert statistics_distance(channel_statistics(torch.cat([a, b])), half).tolist() == pytest.approx(towards)


def test_gradients_of_the_statistics():
    features = torch.rand(2, 3, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(channel_statistics, features)
    constant = torch.full((1, 2, 3, 3), 0.3, requires_grad=True)
    loss = statistics_distance(channel_statistics(constant), channel_statistics(torch.rand(1, 2, 3, 3)))
    (gradient,) = torch.autograd.grad(loss.sum(), constant)
    assert gradient.isfinite().all() and gradient.any()


def test_directions_are_unit_vectors_of_torchs_random_numbers():
    like = torch.zeros(1, dtype=torch.float64)
    torch.manual_seed(3)
    directions = random_directions(5, 200, like)
    torch.manual_seed(3)
    assert torch.equal(random_directions(5, 200, like), directions)
    assert not torch.equal(random_directions(5, 200, like), directions)
    assert directions.shape == (200, 5) and directions.dtype == torch.float64
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(200).double())
    assert directions.mean(dim=0).abs().max() < 0.15  # all ways alike


def test_in_one_direction_it_is_the_distance_of_sorted_numbers():
    pred, target = torch.tensor([[[[4.0, 1.0, 3.0]]]]), torch.tensor([[[[2.0, 0.0, 7.0]]]])
    expected = ((1 - 0) ** 2 + (3 - 2) ** 2 + (4 - 7) ** 2) / 3
    assert sliced_distance(pred, target, torch.ones(1, 1)).tolist() == pytest.approx([expected])


def test_the_projections_are_those_that_scipy_compares():
    pred, target, directions = torch.rand(1, 4, 5, 6), torch.rand(1, 4, 5, 6), random_directions(4, 7, torch.zeros(1))
    ours, theirs = (sorted_projections(x, directions)[0] for x in (pred, target))
    flat = [directions.numpy() @ x[0].flatten(1).numpy() for x in (pred, target)]
    expected = [wasserstein_distance(p, t) for p, t in zip(*flat, strict=True)]
    np.testing.assert_allclose((ours - theirs).abs().mean(dim=1), expected, rtol=1e-4, atol=1e-6)
    squared = np.mean((np.sort(flat[0]) - np.sort(flat[1])) ** 2)
    assert sliced_distance(pred, target, directions).item() == pytest.approx(squared, rel=1e-4)


@pytest.mark.parametrize("size", [(3, 3), (9, 7)])
def test_targets_of_another_size_are_read_by_their_quantile_function(size):
    pred, target, directions = torch.rand(2, 3, 4, 5), torch.rand(1, 3, *size), random_directions(3, 6, torch.zeros(1))
    ours, theirs = (sorted_projections(x, directions).numpy() for x in (pred, target))
    positions, known = ((np.arange(n) + 0.5) / n for n in (20, size[0] * size[1]))
    read = np.stack([np.interp(positions, known, values) for values in theirs[0]])
    expected = ((ours - read) ** 2).mean(axis=(1, 2))
    assert sliced_distance(pred, target, directions).tolist() == pytest.approx(expected.tolist(), rel=1e-4)


def test_where_things_are_does_not_matter_and_pictures_count_alone():
    target, directions = torch.rand(2, 3, 4, 6), random_directions(3, 8, torch.zeros(1))
    assert sliced_distance(target.roll(3, dims=3), target, directions).tolist() == pytest.approx([0, 0], abs=1e-10)
    pred = torch.rand(2, 3, 4, 6)
    both = sliced_distance(pred, target, directions)
    torch.testing.assert_close(sliced_distance(pred[1:], target[1:], directions), both[1:])
    kept = sorted_projections(target, directions)
    torch.testing.assert_close(sorted_distance(sorted_projections(pred, directions), kept), both)


def test_gradients_of_the_sliced_distance():
    pred, target = torch.rand(2, 3, 3, 3, dtype=torch.float64), torch.rand(1, 3, 2, 4, dtype=torch.float64)
    directions = random_directions(3, 4, pred)
    assert torch.autograd.gradcheck(lambda x: sliced_distance(x, target, directions), pred.requires_grad_())


def test_projections_keep_all_bits_under_autocast():
    features, directions = torch.rand(1, 16, 8, 8), random_directions(16, 4, torch.zeros(1))
    expected = sorted_projections(features, directions)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(sorted_projections(features, directions), expected)
