"""Which photos have colours already."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from colorize.tints import COLORED, colors_beyond_a_tint, remark


@pytest.fixture
def scene(rng):
    """(96, 96, 3) uint8: bright sky, a meadow as light as the wall beside it."""
    photo = np.full((96, 96, 3), (150, 190, 235), np.float64)
    photo[48:, :48], photo[48:, 48:] = (90, 140, 60), (190, 105, 90)
    return (photo + rng.normal(0, 6, photo.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_a_photo_with_colours_gets_a_line(scene):
    assert colors_beyond_a_tint(scene) > 2 * COLORED
    assert remark(None, scene).startswith("has colours already")


@pytest.mark.parametrize("tint", [("#2b1d0e", "#f5e6c8"), ("#102030", "#f0f8ff"), ("black", "white")])
def test_sepia_and_other_tints_are_no_colours(scene, tint, rng):
    tinted = np.asarray(ImageOps.colorize(Image.fromarray(scene).convert("L"), *tint)).astype(float)
    grainy = (tinted + rng.normal(0, 6, tinted.shape)).clip(0, 255).astype(np.uint8)
    assert colors_beyond_a_tint(grainy) < COLORED
    assert remark(None, grainy) is None


def test_what_follows_from_lightness_is_no_colour_at_all():
    ramp = np.linspace(0, 255, 64, dtype=np.uint8)
    grey = np.broadcast_to(ramp[None, :, None], (64, 64, 3))
    assert colors_beyond_a_tint(grey) == pytest.approx(0, abs=0.01)


def test_16_bits_are_as_8(scene):
    assert colors_beyond_a_tint(scene.astype(np.uint16) * 257) == pytest.approx(colors_beyond_a_tint(scene), rel=1e-3)
