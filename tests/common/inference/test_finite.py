"""What is NaN or infinite does not become pixels: it is made again in float32, or that photo fails."""

import logging

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from colorize.measure import measure_photo as measure_colors
from colorize.network import Colorizer
from colorize.photo import color_photo
from common.evaluation.report import evaluate_photos
from common.inference.photo_model import PhotoModel
from common.inference.plan import plan_outputs
from common.inference.ready import ready
from common.inference.tiles import enhance, enhance_together
from common.inference.work import Together, enhance_photos
from common.runtime.errors import ResultNotFinite, UserError
from common.runtime.messages import say_once
from styletransfer.bands import paint_in_bands
from styletransfer.config import JohnsonConfig, StyleModelConfig
from styletransfer.measure import time_forward
from styletransfer.network import get_model as get_stylizer
from styletransfer.photo import paint_photo

CPU = torch.device("cpu")
BROKEN = "the network gives values that are no numbers (NaN or infinite), in fp32 as well"
AGAIN = "too large numbers for bf16, so made again in fp32 (--precision fp32)"


class Overflowing(nn.Module):
    """Gives back the photo; `value` in its corner where it is bright there, in half precision alone unless `always`."""

    def __init__(self, value=torch.nan, always=False):
        super().__init__()
        self.value, self.always, self.calls = value, always, []
        self.anchor = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        half = torch.is_autocast_enabled("cpu")
        self.calls.append(half)
        result = x.clone()
        bright = x[:, 0, 0, 0] > 0.5
        if half or self.always:
            result[bright, 0, 0, 0] = self.value
        return result


@pytest.fixture
def photo():
    """(64, 200, 3) uint8, dark but for the left."""
    photo = np.random.default_rng(0).integers(0, 100, (64, 200, 3), np.uint8)
    photo[:, :20] += 150
    return photo


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_a_tile_that_overflows_in_half_precision_is_made_again_in_float32(photo, value, caplog):
    model = ready(Overflowing(value), CPU, "bf16")
    assert np.array_equal(enhance(model, photo, tile=96), photo)
    assert model.calls == [True, False, True, True]  # the first of three tiles alone, a second time
    assert caplog.messages == [f"1 of 3 tiles: {AGAIN}"]
    model(torch.zeros(1, 3, 8, 8))
    assert model.calls[-1]  # its precision is what it was


def test_what_is_not_finite_in_float32_either_fails(photo):
    for precision in ("bf16", "fp32"):
        model = ready(Overflowing(always=True), CPU, precision)
        with pytest.raises(ResultNotFinite, match=r"no numbers .* try another model"):
            enhance(model, photo)
        with pytest.raises(ResultNotFinite):
            PhotoModel(model, lambda pixels, model=model: enhance(model, pixels))(photo)
        assert enhance(model, photo // 4).max() < 64  # dark photos are made


def test_one_photo_of_several_that_is_not_finite_fails_alone(photos, tmp_path, caplog):
    for number, path in enumerate(sorted(photos.iterdir())):
        Image.new("RGB", (20, 20), (200 if number == 2 else 50,) * 3).save(path)
    model, out = Overflowing(always=True), tmp_path / "out"
    together = Together(lambda group: enhance_together(model, group), 10**6)
    plan = plan_outputs([photos], out)
    assert enhance_photos(plan, lambda pixels: enhance(model, pixels), together=together) == 1
    assert [message.split(";")[0] for message in caplog.messages if message.startswith("failed")] == [
        f"failed {photos / '2.png'}: {BROKEN}: its weights are broken, or too large for this photo"
    ]
    assert len(list(out.glob("*.png"))) == 5


def test_photos_at_once_that_overflow_are_made_one_by_one(photos, tmp_path, caplog):
    for path in photos.iterdir():
        Image.new("RGB", (20, 20), "white").save(path)
    model, out = ready(Overflowing(), CPU, "bf16"), tmp_path / "out"
    together = Together(lambda group: enhance_together(model, group), 10**6)
    assert enhance_photos(plan_outputs([photos], out), lambda pixels: enhance(model, pixels), together=together) == 0
    assert caplog.messages == [f"1 of 1 tiles: {AGAIN}"] * 6  # a line a photo
    assert all(np.asarray(Image.open(path)).min() == 255 for path in out.glob("*.png"))


class BreaksInHalf(nn.Module):
    """A layer that does nothing in float32, and gives infinite values in half precision."""

    def forward(self, x):
        return x * torch.inf if torch.is_autocast_enabled("cpu") else x


@pytest.fixture
def stylizer():
    return get_stylizer(StyleModelConfig(johnson=JohnsonConfig(width=4))).eval()


@pytest.mark.parametrize("tile", [256, 32])
def test_a_painting_that_overflows_is_made_again_in_one_piece_and_in_bands(photo, stylizer, tile, caplog, monkeypatch):
    expected, conv = paint_photo(stylizer, photo, tile=tile), torch.nn.functional.conv2d

    def overflow(*args, **options):
        result = conv(*args, **options)
        return result * torch.inf if torch.is_autocast_enabled("cpu") else result

    monkeypatch.setattr("torch.nn.functional.conv2d", overflow)
    caplog.set_level(logging.WARNING)
    assert np.array_equal(paint_photo(ready(stylizer, CPU, "bf16"), photo, tile=tile), expected)
    assert caplog.messages == [f"the painting: {AGAIN}"]


@pytest.mark.parametrize("tile", [256, 32])
def test_a_painting_by_broken_weights_fails(photo, stylizer, tile):
    nn.init.constant_(next(stylizer.parameters()), torch.nan)
    with pytest.raises(ResultNotFinite):
        paint_photo(stylizer, photo, tile=tile)
    with pytest.raises(ResultNotFinite):
        time_forward(stylizer, torch.rand(1, 3, 32, 32))


def test_bands_keep_values_that_half_precision_does_not_reach(photo, stylizer):
    """Instance norm takes a factor of a million out again: the painting is that of one piece."""
    with torch.no_grad():
        next(stylizer.parameters()).mul_(1e6)
    whole = paint_photo(stylizer, photo).astype(int)
    assert abs(paint_in_bands(stylizer.network, photo, floats=4 * 200 * 24) - whole).max() <= 1


def test_a_colorizer_that_overflows_colours_in_float32(photo):
    model = Colorizer(nn.Conv2d(3, 2, 3, padding=1), 40).eval()
    expected = color_photo(ready(model, CPU), photo)
    model.unet = nn.Sequential(model.unet, BreaksInHalf())
    assert np.array_equal(color_photo(ready(model, CPU, "bf16"), photo), expected)


def test_evaluate_skips_a_photo_whose_result_is_not_finite(photos, tmp_path, caplog):
    for path in photos.iterdir():
        Image.new("RGB", (20, 20), (200 if path.name == "2.png" else 50,) * 3).save(path)
    model, paths = Overflowing(always=True), sorted(photos.iterdir())

    def measure(path):
        return measure_colors(path, {"prediction": lambda pixels: enhance(model, pixels)})

    results = evaluate_photos(paths, measure, None, metric="PSNR")
    assert len(results.table) == 5
    assert [message.split(";")[0] for message in caplog.messages if message.startswith("skipped")] == [
        f"skipped {paths[2]}: {BROKEN}: its weights are broken, or too large for this photo"
    ]
    with pytest.raises(UserError, match="none of 1 photos could be measured"):
        evaluate_photos(paths[2:3], measure, None, metric="PSNR")


class Deep(nn.Module):
    """Gives back the photo, as a network without a residual does: rounded to the precision that it works in."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1, bias=False)
        nn.init.dirac_(self.layer.weight)

    def forward(self, x):
        return self.layer(x)


def with_auto_as_on_cuda(model, monkeypatch):
    """`ready(model)` as on a GPU, in fp16, but on this CPU."""
    monkeypatch.setattr(nn.Module, "to", lambda self, *args, **options: self)
    model = ready(model, torch.device("cuda"))
    assert vars(model)["half"].name == "fp16"
    vars(model)["half"] = vars(model)["half"]._replace(device="cpu")
    return model


@pytest.mark.parametrize("how", ["alone", "together"])
def test_auto_computes_16_bit_photos_in_float32(how, monkeypatch, caplog):
    deep = np.random.default_rng(0).integers(0, 65536, (40, 50, 3)).astype(np.uint16)
    model = with_auto_as_on_cuda(Deep(), monkeypatch)
    run = {"alone": lambda photo: enhance(model, photo), "together": lambda photo: enhance_together(model, [photo])[0]}
    assert np.array_equal(run[how](deep), deep)
    seen = []
    model.layer.register_forward_hook(lambda *args: seen.append(args[2].dtype))
    run[how](deep)
    run[how]((deep >> 8).astype(np.uint8))
    assert seen == [torch.float32, torch.float16]
    assert caplog.messages == []


def test_half_precision_that_is_asked_for_says_that_it_has_fewer_bits(caplog):
    deep = np.random.default_rng(0).integers(0, 65536, (40, 50, 3)).astype(np.uint16)
    model = ready(Deep(), CPU, "bf16")
    say_once.cache_clear()
    for _ in range(2):
        assert not np.array_equal(enhance(model, deep), deep)
    assert caplog.messages == ["--precision bf16 computes with 8 bits, and the input has 16; auto keeps all"]
    enhance(model, deep.astype(np.uint8))


def test_float32_for_16_bits_is_not_tf32(monkeypatch):
    seen = []

    class Looking(Deep):
        def forward(self, x):
            seen.append(torch.backends.cudnn.allow_tf32)
            return super().forward(x)

    before = torch.backends.cudnn.allow_tf32
    models = with_auto_as_on_cuda(Looking(), monkeypatch), ready(Looking(), CPU, "fp32")
    for model in models:
        enhance(model, np.zeros((8, 8, 3), np.uint16))
        enhance(model, np.zeros((8, 8, 3), np.uint8))
    assert (seen, torch.backends.cudnn.allow_tf32) == ([False, before] * 2, before)
