import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from tqdm import tqdm

from common.inference.ready import ready
from common.inference.tiles import enhance
from common.photos.pixels import to_tensor
from common.photos.resize import resize
from common.runtime.errors import UserError
from styletransfer import johnson
from styletransfer import photo as photo_module
from styletransfer.bands import Rows, Work, convolved, keep, paint_in_bands
from styletransfer.config import JohnsonConfig, StyleModelConfig
from styletransfer.network import get_model
from styletransfer.photo import paint_photo, paint_together
from styletransfer.task import TASK


@pytest.fixture
def model(request):
    noise = getattr(request, "param", False)
    model = get_model(StyleModelConfig(johnson=JohnsonConfig(width=4, noise=noise))).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.InstanceNorm2d):
            torch.nn.init.normal_(module.weight, mean=1, std=0.3)
            torch.nn.init.normal_(module.bias, std=0.3)
    return model


@pytest.fixture
def uneven():
    """(400, 416, 3) uint8: dark and coarse at the left, light and fine at the right: no tile is like the whole."""
    y, x = np.mgrid[:400, :416]
    waves = np.sin(x / (12 - x / 50)) + np.sin(y / 7 + x / 90)
    grey = 40 + x / 3 + 25 * waves
    return np.stack([grey, grey * 0.8, 255 - grey], axis=2).clip(0, 255).astype(np.uint8)


BAND = 4 * 416 * 24  # floats: 24 rows at full size


@pytest.mark.parametrize("model", [False, True], ids=["plain", "noise"], indirect=True)
@pytest.mark.parametrize("crop", [(400, 416), (397, 413), (16, 416), (300, 9)])
def test_in_bands_it_is_as_in_one_piece(model, uneven, crop):
    uneven = uneven[: crop[0], : crop[1]]
    whole = paint_photo(model, uneven).astype(int)
    banded = paint_in_bands(model.network, uneven, floats=BAND)
    assert abs(banded - whole).max() <= 1
    assert (banded != whole).mean() < 0.2  # half precision on the way


def test_bands_have_the_precision_of_the_model(model, uneven):
    exact = paint_in_bands(model.network, uneven, floats=BAND).astype(int)
    half = ready(model, torch.device("cpu"), "bf16")
    banded = paint_photo(half, uneven, tile=256).astype(int)
    assert 0 < abs(banded - paint_photo(half, uneven).astype(int)).mean() < 0.5
    assert abs(banded - exact).mean() > 0.1


def test_a_large_photo_is_painted_in_bands(model, uneven, caplog):
    whole = paint_photo(model, uneven).astype(int)
    with caplog.at_level("INFO"):
        tiled = paint_photo(model, uneven, tile=256)
    apart = enhance(model, uneven, tile=256).astype(int)  # each tile with statistics of its own
    assert abs(tiled - whole).max() <= 1 < 5 < abs(apart - whole).mean()
    assert "0.2 megapixels: painted in bands" in caplog.text


def test_bands_know_the_mean_and_variance_of_the_whole(uneven):
    image = to_tensor(uneven)
    rows = Rows(3, 400, 416, 3 * 416, lambda top, bottom: image[:, :, top:bottom])
    work = Work(BAND, Path(tempfile.gettempdir()), torch.device("cpu"), tqdm(disable=True))
    kept, mean, variance = keep(rows, work)
    torch.testing.assert_close(mean, image.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(variance, image.var(dim=(0, 2, 3), correction=0))
    torch.testing.assert_close(kept.read(17, 230), image[:, :, 17:230], atol=3e-4, rtol=0)  # 2**-12, rounded


@pytest.mark.parametrize("size, stride", [(3, 1), (9, 1), (3, 2)])
def test_a_convolution_of_rows_is_that_of_the_picture(uneven, size, stride):
    image = to_tensor(uneven)[:, :, :100, :104]
    conv = johnson.conv(3, 5, size, stride)
    rows = convolved(Rows(3, 100, 104, 3 * 104, lambda top, bottom: image[:, :, top:bottom]), conv)
    with torch.inference_mode():
        expected = conv(image)
        assert expected.shape[1:] == (rows.channels, rows.height, rows.width)
        for top, bottom in ((0, 16), (16, 31), (31, rows.height)):
            torch.testing.assert_close(rows.read(top, bottom), expected[:, :, top:bottom])


def test_out_of_memory_it_goes_on_in_bands(model, uneven, monkeypatch, caplog):
    whole, sizes = paint_photo(model, uneven).astype(int), []

    def too_large(photo):
        raise torch.OutOfMemoryError("CUDA out of memory")

    def small_only(network, photo, floats, photo_part):
        sizes.append(floats)
        return paint_in_bands(network, photo, floats, photo_part) if len(sizes) > 1 else too_large(photo)

    monkeypatch.setattr(model, "forward", too_large)
    monkeypatch.setattr(photo_module, "paint_in_bands", small_only)
    assert abs(paint_photo(model, uneven) - whole).max() <= 1
    assert sizes[1] == sizes[0] // 4
    assert "not enough memory" in caplog.text


def test_a_disk_too_small_is_told_before(model, uneven, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(OSError, match=r"needs 0\.0 GB of disk in .* set TMPDIR"):
        paint_photo(model, uneven, tile=256)


def test_strength_is_between_photo_and_painting(model, uneven):
    photo, painted = uneven.astype(float), paint_photo(model, uneven).astype(float)
    np.testing.assert_array_equal(paint_photo(model, uneven, strength=0), uneven)
    half = paint_photo(model, uneven, strength=0.5)
    assert abs(half - (photo + painted) / 2).max() <= 1
    assert abs(painted - photo).mean() > 10


def test_own_colours_with_the_lightness_of_the_painting(model, uneven):
    muted = (100 + uneven // 8).astype(np.uint8)  # colours that any lightness can have
    y, cb, cr = np.asarray(Image.fromarray(paint_photo(model, muted, keep_colors=True)).convert("YCbCr")).transpose(
        2, 0, 1
    )
    own = np.asarray(Image.fromarray(muted).convert("YCbCr")).astype(float)
    painted = np.asarray(Image.fromarray(paint_photo(model, muted)).convert("YCbCr")).astype(float)
    inside = (painted[..., 0] > 40) & (painted[..., 0] < 215)
    assert inside.mean() > 0.3
    assert abs(y - painted[..., 0])[inside].max() <= 2
    assert abs(cb - own[..., 1])[inside].max() <= 2
    assert abs(cr - own[..., 2])[inside].max() <= 2


@pytest.mark.parametrize("options", [{}, {"strength": 0.3}, {"keep_colors": True}])
def test_16_bits_are_painted_as_8_are(model, uneven, options):
    deep = uneven[:96, :96].astype(np.uint16) * 257
    result = paint_photo(model, deep, **options)
    assert result.dtype == np.uint16
    assert abs(result / 257 - paint_photo(model, uneven[:96, :96], **options)).max() <= 1
    assert np.array_equal(paint_photo(model, deep, strength=0), deep)


def test_kept_colors_are_those_of_ycbcr(model, uneven):
    photo = uneven[:64, :64]
    result = paint_photo(model, photo, keep_colors=True)
    y = Image.fromarray(paint_photo(model, photo)).convert("YCbCr").getchannel("Y")
    _, cb, cr = Image.fromarray(photo).convert("YCbCr").split()
    expected = np.asarray(Image.merge("YCbCr", (y, cb, cr)).convert("RGB")).astype(int)
    assert abs(result - expected).mean() < 1


def test_larger_strokes_are_a_smaller_painting_enlarged(model, uneven):
    large = paint_photo(model, uneven, stroke=2.0)
    assert (large == resize(paint_photo(model, resize(uneven, (200, 208))), (400, 416))).all()
    assert (paint_together(model, [uneven, uneven], stroke=2.0)[1] == large).all()
    few = uneven[:70]
    assert (paint_photo(model, few, stroke=4.0) == resize(paint_photo(model, resize(few, (64, 380))), (70, 416))).all()
    assert (paint_photo(model, uneven[:40], stroke=4.0) == paint_photo(model, uneven[:40])).all()  # small as it is


def test_detail_lays_back_the_lightness_that_a_smaller_copy_lost(model, uneven, monkeypatch):
    monkeypatch.setattr(photo_module, "paint_whole", lambda model, photo, tile, parts: photo)
    grain = np.random.default_rng(0).integers(-30, 30, (*uneven.shape[:2], 1))
    photo = (64 + uneven // 2 + grain).astype(np.uint8)
    without, half, all_of_it = (paint_photo(model, photo, stroke=3.0, detail=part) for part in (0.0, 0.5, 1.0))
    off = [abs((photo.astype(float) - each) @ photo_module.LUMA).mean() for each in (without, half, all_of_it)]
    assert off[0] > 10
    assert off[1] == pytest.approx(off[0] / 2, rel=0.05)
    assert off[2] < 0.5
    wide, flat = photo.astype(np.uint16) * 257, paint_photo(model, photo.astype(np.uint16) * 257, stroke=3.0, detail=1)
    assert abs((wide.astype(float) - flat) @ photo_module.LUMA).mean() < 128


def test_detail_without_larger_strokes_is_refused():
    with pytest.raises(UserError, match="give a --stroke of more than 1"):
        TASK.check_options({"stroke": 1.0, "detail": 0.5})
    TASK.check_options({"stroke": 2.0, "detail": 0.5})
