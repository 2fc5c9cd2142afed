import numpy as np
import pytest
import torch

from common.evaluation.lattice import lattice, peaks_of


def noise(seed, side=256):
    generator = torch.Generator().manual_seed(seed)
    return 0.5 + 0.05 * torch.randn(1, 3, side, side, generator=generator)


def dots(period, side=256):
    pattern = torch.zeros(period, period)
    pattern[0, 0] = 1
    return pattern.repeat(side // period, side // period)


def test_the_peaks_of_a_pattern_are_those_that_half_its_period_has_not():
    assert peaks_of(2) == [(0, 1), (1, 0), (1, 1)]
    assert set(peaks_of(4)) == {(0, 1), (1, 0), (1, 1), (1, 2), (1, 3), (2, 1)}


def test_noise_has_no_lattice():
    for period in (2, 4):
        found = [lattice(noise(seed), torch.zeros(1, 3, 256, 256), period) for seed in range(20)]
        assert np.mean(found) == pytest.approx(1 / np.log(2), abs=0.35)  # an exponential's mean over its median


def test_faint_dots_are_found_at_their_period():
    target = torch.rand(1, 3, 256, 256)
    for period, other in ((4, 2), (2, 4)):
        found = {p: lattice(target + noise(1) + 0.05 * dots(period), target, p) for p in (2, 4)}
        assert found[period] > 20
        if period == 2:
            assert found[other] < 5
    one_place_in_four_is_also_every_second = lattice(target + noise(1) + 0.05 * dots(4), target, 2)
    assert one_place_in_four_is_also_every_second > 20  # its harmonics


def test_a_photo_too_small_for_a_spectrum_has_none():
    assert np.isnan(lattice(noise(0, 60), noise(1, 60), 4))
    assert not np.isnan(lattice(noise(0, 67), noise(1, 67), 4))
