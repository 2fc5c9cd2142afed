"""NIQE. With the authors' statistics (not shipped) `niqe` gives 5.735 for BasicSR's baboon.png; MATLAB says 5.730."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from scipy.ndimage import convolve
from skimage import data

from benchmarks.fit_niqe import fit
from common.evaluation.niqe import (
    Natural,
    cut_patches,
    fit_distribution,
    halve,
    niqe,
    normalize,
    patch_features,
    read_natural,
    scale_features,
    to_luma,
)
from common.photos.pixels import to_tensor


@pytest.fixture(scope="module")
def cat():
    return Image.fromarray(data.chelsea())


def test_a_local_mean_and_deviation_are_those_of_a_gaussian_window_of_7_pixels():
    y = np.random.default_rng(0).uniform(0, 255, (20, 30))
    taps = np.exp(-(np.arange(-3, 4) ** 2) / (2 * (7 / 6) ** 2))
    window = np.outer(taps, taps) / taps.sum() ** 2
    mean = convolve(y, window, mode="nearest")
    expected = np.sqrt(convolve(y**2, window, mode="nearest") - mean**2)
    normalized, deviation = normalize(y)
    np.testing.assert_allclose(deviation, expected, rtol=1e-9)
    np.testing.assert_allclose(normalized, (y - mean) / (expected + 1), rtol=1e-9)


@pytest.mark.parametrize(("shape", "left", "right"), [(2, 1, 1), (1, 0.5, 2), (0.7, 1.5, 1)])
def test_a_distribution_that_numbers_were_drawn_from_is_found(shape, left, right):
    rng = np.random.default_rng(0)
    sizes = rng.gamma(1 / shape, size=300_000) ** (1 / shape)  # density ~ exp(-size^shape)
    values = np.where(rng.uniform(size=300_000) < left / (left + right), -left * sizes, right * sizes)
    found = np.array(fit_distribution(np.stack([values, values[::-1]])))
    np.testing.assert_allclose(found, np.array([[shape, left, right]] * 2).T, rtol=0.02)


def test_features_are_of_a_patch_and_of_products_of_its_neighbours():
    patches = np.random.default_rng(0).normal(size=(1, 400, 400))
    features = scale_features(patches)[0]
    assert features[:2] == pytest.approx([2, 2**0.5], rel=0.02)  # a Gaussian of variance 1 is exp(-(x / sqrt 2)^2)
    below = patches[0, :-1] * patches[0, 1:]
    shape, left, right = (value[0] for value in fit_distribution(below[None]))
    assert features[6] == pytest.approx(shape, rel=0.01)
    assert features[7] == pytest.approx(below.mean(), abs=0.01)
    assert features[8:10] == pytest.approx([left, right], rel=0.01)


def test_patches_are_cut_row_by_row_and_halved_as_pillow_does():
    y = np.arange(24.0).reshape(4, 6)
    assert cut_patches(y, 2)[1].tolist() == [[2, 3], [8, 9]] and len(cut_patches(y, 2)) == 6
    y = np.random.default_rng(0).uniform(0, 255, (40, 60))
    pillow = np.asarray(Image.fromarray(y.astype(np.float32)).resize((30, 20), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(halve(y)[3:-3, 3:-3], pillow[3:-3, 3:-3], atol=1e-3)  # it has another border
    np.testing.assert_allclose(halve(np.full((8, 8), 7.0)), np.full((4, 4), 7.0))


def test_the_distance_is_measured_in_pooled_deviations(cat):
    features, _ = patch_features(to_luma(to_tensor(cat)))
    mean, covariance = features.mean(axis=0), np.cov(features, rowvar=False) + 10 * np.eye(36)
    assert niqe(to_tensor(cat), Natural(mean, covariance)) == pytest.approx(0, abs=1e-6)
    pooled = (np.cov(features, rowvar=False) + covariance) / 2
    values, vectors = np.linalg.eigh(pooled)
    shifted = Natural(mean + 3 * vectors[:, 5] * values[5] ** 0.5 + 4 * vectors[:, 9] * values[9] ** 0.5, covariance)
    assert niqe(to_tensor(cat), shifted) == pytest.approx(5)  # 3 along one axis, 4 along another


def test_a_sharp_photo_is_near_and_each_damage_moves_it_away(cat):
    rng, pixels = np.random.default_rng(0), np.asarray(cat).astype(float)
    noise = rng.standard_normal(pixels.shape)

    def jpeg(quality):
        file = BytesIO()
        cat.save(file, "JPEG", quality=quality)
        return Image.open(file)

    for damaged in (
        [cat.filter(ImageFilter.GaussianBlur(radius)) for radius in (1, 2, 4)],
        [Image.fromarray((pixels + sigma * noise).clip(0, 255).astype(np.uint8)) for sigma in (5, 15, 40)],
        [jpeg(quality) for quality in (50, 20, 8)],
    ):
        figures = [niqe(to_tensor(picture)) for picture in (cat, *damaged)]
        assert 2 < figures[0] < 5
        assert figures == sorted(figures)


def test_flat_and_small_pictures_have_none():
    assert np.isnan(niqe(torch.full((1, 3, 200, 200), 0.5)))
    assert np.isnan(niqe(torch.rand(1, 3, 95, 300)))
    assert np.isnan(niqe(torch.rand(1, 3, 96, 191)))  # one patch has no covariance
    assert niqe(torch.rand(1, 3, 96, 192)) > 10


def test_statistics_are_of_each_photos_sharp_patches(tmp_path, cat):
    half = np.asarray(cat).copy()[:192, :384]
    half[:96] = np.asarray(cat.filter(ImageFilter.GaussianBlur(3)))[:96, :384]
    Image.fromarray(half).save(tmp_path / "a.png")
    features, sharpness = patch_features(to_luma(to_tensor(half)))
    assert sharpness[:4].max() < 0.75 * sharpness.max()  # the blurred ones
    mean, covariance = fit([tmp_path / "a.png"])
    chosen = features[sharpness > 0.75 * sharpness.max()]
    np.testing.assert_allclose(mean, chosen.mean(axis=0))
    np.testing.assert_allclose(covariance, np.cov(chosen.T))


def test_the_statistics_that_come_along_are_those_of_photos():
    mean, covariance = read_natural()
    assert (mean.shape, covariance.shape, mean.dtype) == ((36,), (36, 36), np.float64)
    assert np.linalg.eigvalsh(covariance).min() > 0
    assert 2 < mean[0] < 4 and 0.8 < mean[1] < 1.2  # near the Gaussian that a photo's normalised luma has
