"""--like: the palette of another photo."""

import numpy as np
import pytest
import torch
from PIL import Image

from colorize.bins import Classes
from colorize.config import ColorizeModelConfig
from colorize.lab import get_ab
from colorize.network import get_model
from colorize.palette import OWN, read_palette, toward
from colorize.photo import color_photo, color_together
from common.photos.open import PhotoError
from common.photos.pixels import to_tensor
from common.runtime.errors import UserError

CENTRES = torch.tensor([[60.0, 40.0], [-40.0, 40.0], [0.0, 0.0], [10.0, -50.0]])  # red, green, grey, blue
EVEN = torch.ones(4)


def save(path, *colors):
    """A photo of stripes, equally wide."""
    stripes = [np.full((60, 40, 3), color, np.uint8) for color in colors]
    Image.fromarray(np.concatenate(stripes, axis=1)).save(path)
    return path


def test_a_palette_says_how_much_of_each_color_a_photo_has(tmp_path):
    red, blue = [195, 67, 78], [0, 102, 180]  # near the centres, at L* 48 and 42
    found = read_palette(save(tmp_path / "a.png", red, red, red, blue), CENTRES)
    assert found.tolist() == pytest.approx([0.75, 0, 0, 0.25], abs=0.01)
    with pytest.raises(UserError, match="grey, there are no colours to take"):
        read_palette(save(tmp_path / "b.png", [90, 90, 90], [200, 200, 200]), CENTRES)
    with pytest.raises(UserError, match=r"--like .*none\.png: no such file") as error:
        read_palette(tmp_path / "none.png", CENTRES)
    assert not isinstance(error.value, PhotoError)  # which is a failure of one photo, after which others come


def test_parts_agree_with_what_the_loss_is_told():
    ab = torch.randn(2, 2, 8, 8) * 30
    parts = Classes(CENTRES, EVEN).parts(ab)
    shares = (-torch.cdist(ab.movedim(1, -1).reshape(-1, 2).round(), CENTRES).square() / 50).double().exp()
    assert parts.tolist() == pytest.approx((shares / shares.sum(1, keepdim=True)).mean(0).tolist(), abs=1e-3)


def test_what_is_found_goes_three_quarters_of_the_way_to_the_palette_whatever_the_loss_weighed():
    logits = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    palette = torch.tensor([0.7, 0.1, 0.1, 0.1])
    for weights in EVEN, torch.tensor([0.5, 2.0, 1.0, 4.0]):
        true = logits + weights.log()[:, None, None]  # of a network that learned with these weights
        moved = toward(true, weights, palette) - weights.log()[:, None, None]
        before, after = (each.softmax(dim=1).mean(dim=(0, 2, 3)) for each in (logits, moved))
        wanted = (1 - OWN) * palette + OWN * before
        assert (after - wanted).abs().sum() < 0.25 * (before - wanted).abs().sum()
        torch.testing.assert_close(moved, toward(logits, EVEN, palette))


def test_a_photo_turns_to_the_colors_of_another(tmp_path):
    config = ColorizeModelConfig(encoder="resnet18", pretrained=False, norm="none", attention=False)
    model = get_model(config, 48, (CENTRES, EVEN)).eval()  # all alike likely
    photo = np.full((48, 64, 3), 128, np.uint8)
    red = save(tmp_path / "red.png", [195, 67, 78])
    plain, liked = (color_photo(model, photo, like=like) for like in (None, red))
    assert get_ab(to_tensor(liked))[0, 0].mean() > get_ab(to_tensor(plain))[0, 0].mean() + 15
    assert (color_together(model, [photo, photo], like=red)[1] == liked).all()
    assert model.palette is None
    assert (color_photo(model, photo) == plain).all()
    with pytest.raises(UserError, match=r"--like .*red.png: this model gives each pixel one colour"):
        color_photo(get_model(config, 48).eval(), photo, like=red)


def test_what_cannot_be_read_leaves_the_model_as_it_was_and_a_changed_photo_is_read_again(tmp_path):
    config = ColorizeModelConfig(encoder="resnet18", pretrained=False, norm="none", attention=False)
    model = get_model(config, 48, (CENTRES, EVEN)).eval()
    photo = np.full((48, 64, 3), 128, np.uint8)
    with pytest.raises(UserError, match="no such file"):
        color_photo(model, photo, vividness=1.0, like=tmp_path / "none.png")
    assert (model.vividness, model.palette) == (0.0, None)
    red = color_photo(model, photo, like=save(tmp_path / "a.png", [195, 67, 78]))
    blue = color_photo(model, photo, like=save(tmp_path / "a.png", [0, 102, 180], [0, 102, 180]))
    assert get_ab(to_tensor(red))[0, 1].mean() > get_ab(to_tensor(blue))[0, 1].mean() + 15


def test_a_palette_is_of_the_whole_photo_not_of_each_tile(tmp_path):
    config = ColorizeModelConfig(encoder="resnet18", pretrained=False, norm="none", attention=False)
    model = get_model(config, 96, (CENTRES, EVEN)).eval()
    torch.nn.init.normal_(model.unet.last.weight, std=0.3)
    photo = np.random.default_rng(0).integers(0, 256, (96, 192, 3), np.uint8)
    like = save(tmp_path / "a.png", [195, 67, 78], [0, 102, 180])
    assert (color_photo(model, photo, like=like, tile=64) == color_photo(model, photo, like=like)).all()
