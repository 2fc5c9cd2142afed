"""Photos that were blurred or enlarged, told by where their spectrum ends."""

import io
import logging
import math

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from common.batches.folders import sample_photos
from superres.blurred import end_of_spectrum, remark
from superres.network import SuperResolver
from superres.srcnn import SRCNN
from tests.commands import run_here
from tests.common.commands.models import write_model

RANDOM = np.random.default_rng(0)
PILLOW = Image.Resampling


def white_noise(height=512, width=512):
    return RANDOM.integers(0, 256, (height, width, 3), np.uint8)


def steps():
    """64 pieces of random steps, across and down: along rows and columns power falls with the square of frequency."""

    def piece():
        across, down = (RANDOM.normal(scale=4, size=(128, 3)).cumsum(axis=0) for _ in range(2))
        return across[None] + down[:, None]

    rows = [np.concatenate([piece() for _ in range(8)], axis=1) for _ in range(8)]
    return (128 + np.concatenate(rows)).round().clip(0, 255).astype(np.uint8)


def enlarged(photo, times, how):
    height, width = photo.shape[:2]
    return np.asarray(Image.fromarray(photo).resize((times * width, times * height), how))


def blurred(photo, sigma):
    return gaussian_filter(photo.astype(float), (sigma, sigma, 0)).round().astype(np.uint8)


def as_jpeg(photo, quality):
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def test_white_noise_and_steps_end_at_the_highest_frequency():
    assert end_of_spectrum(white_noise()) == 1
    assert end_of_spectrum(steps()) == 1


@pytest.mark.parametrize("times", [2, 3, 4])
def test_what_was_enlarged_ends_at_its_own_highest_frequency(times):
    # Lanczos cuts off gradually, by 6 dB there.
    assert end_of_spectrum(enlarged(white_noise(), times, PILLOW.LANCZOS)) == pytest.approx(1 / times, rel=0.2)


@pytest.mark.parametrize("sigma", [1.5, 2.0, 3.0])
def test_a_gaussian_blur_ends_steps_where_its_own_power_is_7_5_dB_down(sigma):
    """exp(-(pi sigma f)^2) = 10^-0.75, f in parts of the highest frequency, which is half a cycle a pixel."""
    expected = math.sqrt(0.75 * math.log(10)) / (math.pi * sigma)
    assert end_of_spectrum(blurred(steps(), sigma)) == pytest.approx(expected, abs=0.04)  # frequencies are smoothed


def test_what_is_blurred_one_way_alone_is_sharp():
    """As a lens or a hand blurs; what was enlarged is blurred both ways."""
    noise = white_noise(512, 256)
    assert end_of_spectrum(np.asarray(Image.fromarray(noise).resize((512, 512), PILLOW.LANCZOS))) == 1


def test_a_sharp_part_in_front_of_a_blurred_background_is_enough():
    photo = blurred(white_noise(), 3)
    photo[128:256, 128:384] = white_noise(128, 256)
    assert end_of_spectrum(blurred(white_noise(), 3)) < 0.3
    assert end_of_spectrum(photo) == 1


def test_16_bits_end_where_8_do():
    photo = enlarged(white_noise(), 2, PILLOW.BICUBIC)
    assert end_of_spectrum(photo.astype(np.uint16) * 257) == end_of_spectrum(photo) < 0.7


def test_of_grey_small_and_flat_photos_nothing_can_be_told():
    grey = enlarged(white_noise(), 2, PILLOW.LANCZOS)[..., :1].repeat(3, axis=2)
    y, x = np.mgrid[:512, :512]
    ramp = np.stack([x // 2, y // 2, (x + y) // 4], axis=2).astype(np.uint8)
    dark = RANDOM.integers(20, 22, (512, 512, 3), np.uint8)
    for photo in (grey, white_noise(127, 500), np.full((512, 512, 3), 99, np.uint8), ramp, dark):
        assert end_of_spectrum(photo) is None


SHARP = {"astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "china.jpg", "flower.jpg"}


@pytest.mark.parametrize("path", [path for path in sample_photos() if path.name in SHARP], ids=lambda path: path.name)
def test_photographs_are_told_from_their_enlargements_whatever_the_jpeg(path):
    photo = np.asarray(Image.open(path).convert("RGB"))
    half = np.asarray(Image.fromarray(photo).resize((photo.shape[1] // 2, photo.shape[0] // 2), PILLOW.LANCZOS))
    assert end_of_spectrum(half) > 0.72
    assert end_of_spectrum(as_jpeg(half, 75)) > 0.72
    for how in (PILLOW.BILINEAR, PILLOW.BICUBIC, PILLOW.LANCZOS):
        assert end_of_spectrum(as_jpeg(enlarged(half, 2, how), 90)) < 0.72


def test_the_line_says_how_much_smaller_first():
    photo, model = enlarged(white_noise(), 2, PILLOW.LANCZOS), SuperResolver(SRCNN(), 2, "before")
    assert remark(model, photo) == (
        "looks enlarged or blurred already: its finest detail fits into 60% of its width, and most models sharpen it "
        "little. Make it smaller first (scale 0.6), then enlarge that"
    )
    assert "(scale 0.6)" in remark(model, photo, tta=True, scale=1.5, width=None)
    assert remark(model, photo, scale=0.6) is None  # this is what the line asks for
    assert remark(model, white_noise()) is None
    assert remark(SuperResolver(SRCNN(), 1, "before"), photo) is None  # made to sharpen


def test_predict_says_it_of_the_photo_that_it_is_true_of(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    Image.fromarray(enlarged(white_noise(80, 80), 2, PILLOW.LANCZOS)).save(tmp_path / "large.png")
    Image.fromarray(white_noise(160, 160)).save(tmp_path / "sharp.png")
    model = write_model(tmp_path / "model.safetensors")
    words = [model, tmp_path / "large.png", tmp_path / "sharp.png", "-o", tmp_path / "out"]
    assert run_here("superres.predict", *words) == 0
    lines = [message for message in caplog.messages if "looks enlarged" in message]
    assert len(lines) == 1
    assert lines[0].startswith(f"{tmp_path / 'large.png'}: looks enlarged or blurred already")
