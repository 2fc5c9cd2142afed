"""What must hold for any picture and any config, tried on what hypothesis makes up."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from colorize.config import Config as ColorizeConfig
from colorize.photo import color_photo
from common.config.losses import LAYER_NAMES
from common.config.yaml_file import load_config, save_config
from common.inference.tiles import enhance
from common.inference.work import enhance_photos
from superres.config import Config as SuperresConfig
from superres.network import get_model

quick = settings(deadline=None, max_examples=50, derandomize=True, suppress_health_check=list(HealthCheck))
# Every mode that a photo can come in, with a format that holds it.
MODES = {
    "1": ".png", "L": ".png", "LA": ".png", "P": ".gif", "RGB": ".jpg", "RGBA": ".webp", "CMYK": ".tif",
    "YCbCr": ".jpg", "I;16": ".png",
}  # fmt: skip
STAGE = {"crop": 32, "bs": 1, "epochs": 1, "lr": 0.1}
KEPT = {".png", ".jpg", ".webp", ".tif"}


class Twice(nn.Module):
    """Repeats each pixel `scale` times; if it looks around, after a 3 x 3 mean."""

    def __init__(self, scale, look_around=False):
        super().__init__()
        self.scale, self.look_around, self.anchor = scale, look_around, nn.Parameter(torch.zeros(1))

    def forward(self, x):
        if self.look_around:
            x = nn.functional.avg_pool2d(nn.functional.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        return x.repeat_interleave(self.scale, dim=2).repeat_interleave(self.scale, dim=3)


class Reddish(nn.Module):
    """Gives each pixel the same colour."""

    def __init__(self):
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return (x * torch.tensor([1.0, 0.6, 0.5])[:, None, None]).clamp(0, 1)


@st.composite
def pictures(draw):
    """(mode, PIL image of at most 70 pixels a side, with noise, one value or a ramp in it)."""
    mode = draw(st.sampled_from(sorted(MODES)))
    width, height = draw(st.integers(1, 70)), draw(st.integers(1, 70))
    shape = (height, width, 4)
    content = draw(st.sampled_from(["noise", "black", "white", "ramp"]))
    if content == "noise":
        pixels = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, shape)
    elif content == "ramp":
        pixels = np.broadcast_to(np.linspace(0, 255, width)[:, None], shape)
    else:
        pixels = np.full(shape, 255 * (content == "white"))
    rgba = Image.fromarray(pixels.astype(np.uint8), "RGBA")
    if mode == "I;16":
        return mode, Image.fromarray((pixels[..., 0] * 257).astype(np.uint16))
    return mode, rgba.convert("RGB").convert(mode) if mode not in ("RGBA", "LA") else rgba.convert(mode)


@quick
@given(pictures(), st.sampled_from([1, 2, 4]), st.integers(1, 60))
def test_any_photo_comes_back_at_its_size_in_its_mode(tmp_path_factory, picture, scale, tile):
    mode, image = picture
    folder = tmp_path_factory.mktemp("any")
    path = folder / f"photo{MODES[mode]}"
    image.save(path)
    result = folder / f"result{path.suffix if path.suffix in KEPT else '.png'}"
    model = Twice(scale)
    assert enhance_photos([(path, result)], lambda rgb: enhance(model, rgb, scale, tile, overlap=4)) == 0
    with Image.open(result) as enhanced:
        assert enhanced.size == (scale * image.width, scale * image.height)
        grey, transparent = mode in ("1", "L", "LA", "I;16"), mode in ("LA", "RGBA")
        assert enhanced.mode == ("L" if grey else "RGB") + ("A" if transparent else "") or (
            # Pillow writes WebP without alpha if none of it is transparent.
            enhanced.mode == "RGB" and np.asarray(image.convert("RGBA"))[..., 3].min() == 255
        )


@pytest.fixture(scope="module")
def network():
    """A real one, with a last layer that is not zero."""
    config = SuperresConfig.model_validate(
        {"model": {"encoder": "resnet18", "pretrained": False}, "loss": {"l1": 1}, "train": {"stages": [STAGE]}}
    )
    model = get_model(config.model, scale=2)
    nn.init.normal_(model.unet.last.weight, std=0.01)
    return model.eval()


@settings(quick, max_examples=12)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 200))
def test_the_network_takes_any_size(network, height, width, tile):
    photo = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    assert enhance(network, photo, 2, tile).shape == (2 * height, 2 * width, 3)


@quick
@given(pictures(), st.integers(1, 80), st.floats(0, 3))
def test_any_photo_is_coloured_at_its_size_and_keeps_what_is_black_and_white(picture, size, saturation):
    _, image = picture
    rgb = np.asarray(image.convert("RGB"))
    result = color_photo(Reddish(), rgb, size, saturation)
    assert result.shape == rgb.shape
    for tone in (0, 255):
        where = (rgb == tone).all(axis=2)
        assert (result[where] == tone).all()


@quick
@given(
    st.integers(1, 150), st.integers(1, 150), st.sampled_from([1, 2, 4]), st.integers(1, 120), st.integers(8, 24),
    st.integers(0, 99),
)  # fmt: skip
def test_tiles_never_show(height, width, scale, tile, overlap, seed):
    """What looks at one pixel only gives the same in tiles; what looks around nearly so, the more tiles overlap."""
    photo = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    for look_around in (False, True):
        model = Twice(scale, look_around)
        whole = enhance(model, photo, scale, tile=10**6).astype(int)
        tiled = enhance(model, photo, scale, tile, overlap).astype(int)
        assert whole.shape == (scale * height, scale * width, 3)
        # At most 5 of 9 neighbours of a tile's outermost pixels are wrong, and in both directions these fade in from 0
        # to 1 / overlap of the weight.
        worst = 255 * 5 / 9 * 2 / overlap if look_around else 0
        assert abs(tiled - whole).max() <= 1 + worst


weights = st.floats(0, 1e3, allow_nan=False) | st.integers(0, 1000)
terms = st.dictionaries(st.sampled_from(["mse", "psnr", "psnr_mae", "ssim", "tv"]), weights)
layers = st.dictionaries(st.sampled_from(LAYER_NAMES), st.floats(1e-3, 1e6), min_size=1, max_size=4)
stage = st.fixed_dictionaries(
    {"crop": st.integers(4, 50).map(lambda n: 8 * n), "bs": st.integers(1, 99), "epochs": st.integers(1, 99)},
    optional={"frozen": st.booleans()},
).flatmap(lambda fields: st.floats(1e-9, 1).map(lambda lr: {**fields, "lr": lr}))


@pytest.mark.parametrize("config_class", [SuperresConfig, ColorizeConfig])
@quick
@given(
    terms=terms, features=st.none() | layers, stages=st.lists(stage, min_size=1, max_size=3),
    seed=st.integers(0, 2**63 - 1), name=st.none() | st.text(st.characters(codec="utf-8"), min_size=1),
    valid=st.lists(st.text(min_size=1), max_size=3),
)  # fmt: skip
def test_a_config_that_is_written_is_read_the_same(
    tmp_path_factory, config_class, terms, features, stages, seed, name, valid
):
    values = {
        "data": {"valid": valid},
        "loss": {"l1": 1, **terms, "features": features and {"weight": 0.1, "layers": features}},
        "train": {"stages": stages, "seed": seed},
        "output": {"name": name},
    }
    config = config_class.model_validate(values)
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    save_config(config, path)
    assert load_config(config_class, path) == config
