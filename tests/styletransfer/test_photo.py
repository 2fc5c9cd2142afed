import numpy as np
import pytest
import torch
from PIL import Image

from common.data.pixels import to_tensor
from common.inference.tiles import enhance
from styletransfer import photo as photo_module
from styletransfer.config import JohnsonConfig, StyleModelConfig
from styletransfer.johnson import InstanceNorm
from styletransfer.model import get_model
from styletransfer.photo import paint_photo


@pytest.fixture
def model():
    model = get_model(StyleModelConfig(johnson=JohnsonConfig(width=4))).eval()
    for module in model.modules():
        if isinstance(module, InstanceNorm):
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


def test_tiles_share_the_statistics_of_the_whole_photo(model, uneven, monkeypatch):
    monkeypatch.setattr(photo_module, "PIECE", 128)
    whole = paint_photo(model, uneven).astype(float)
    tiled = paint_photo(model, uneven, tile=256).astype(float)
    apart = enhance(model, uneven, tile=256, grid=32).astype(float)  # each tile with statistics of its own
    assert abs(tiled - whole).mean() < 0.5 < 5 < abs(apart - whole).mean()
    assert all(module.fixed_statistics is None for module in model.modules() if isinstance(module, InstanceNorm))


def test_out_of_memory_leaves_no_seams(model, uneven, monkeypatch):
    whole, forward, sizes = paint_photo(model, uneven).astype(float), model.forward, []

    def small_only(photo):
        sizes.append(max(photo.shape[-2:]))
        if sizes[-1] > 210:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(photo)

    monkeypatch.setattr(model, "forward", small_only)
    painted = paint_photo(model, uneven).astype(float)
    assert sizes[0] == 416
    assert max(sizes[1:]) == 192  # three tiles, halved to 208 at most
    apart = enhance(model, uneven, tile=208, grid=32).astype(float)
    assert abs(painted - whole).mean() < 1 < 5 < abs(apart - whole).mean()


def test_measured_in_pieces_is_as_measured_whole(model, uneven, monkeypatch):
    norm = [module for module in model.modules() if isinstance(module, InstanceNorm)][2]  # at a quarter of the size
    mean, variance = photo_module.measure_statistics(model, norm, uneven)
    monkeypatch.setattr(photo_module, "PIECE", 96)
    parts = photo_module.measure_statistics(model, norm, uneven)
    torch.testing.assert_close(parts, (mean, variance), rtol=1e-3, atol=1e-3)
    seen = []
    hook = norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        model(to_tensor(uneven))
    hook.remove()
    expected = seen[0].mean(dim=(0, 2, 3)), seen[0].var(dim=(0, 2, 3), correction=0)
    torch.testing.assert_close((mean, variance), expected, rtol=1e-3, atol=1e-4)


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
