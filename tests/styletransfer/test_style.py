import numpy as np
import pytest
from PIL import Image

from common.runtime.errors import UserError
from styletransfer.config import StyleConfig
from styletransfer.style import STYLE_FILE, open_style, style_to_tensors
from tests.commands import run_here


def test_the_sample_is_shrunk_to_its_short_side():
    style = open_style(StyleConfig(size=100))
    assert (style.size, style.mode) == ((100, 100), "RGB")


def test_a_run_goes_on_with_its_own_copy(tmp_path):
    copy = Image.fromarray(np.random.default_rng(0).integers(256, size=(40, 50, 3), dtype=np.uint8))
    copy.save(tmp_path / STYLE_FILE)
    style = open_style(StyleConfig(image=tmp_path / "gone.jpg", size=40), run=tmp_path)
    np.testing.assert_array_equal(np.asarray(style), np.asarray(copy))


def test_a_style_is_never_enlarged_and_says_so(tmp_path, caplog):
    Image.new("L", (60, 50)).save(tmp_path / "small.png")
    assert open_style(StyleConfig(image=tmp_path / "small.png", size=256)).size == (60, 50)
    assert "its short side has 50 px, less than style.size = 256" in caplog.text


def test_a_tiny_style_is_refused(tmp_path):
    Image.new("RGB", (400, 31)).save(tmp_path / "tiny.png")
    with pytest.raises(UserError, match=r"style.image = .*tiny.png: 400 x 31 px; each side must have at least 32"):
        open_style(StyleConfig(image=tmp_path / "tiny.png"))


def test_a_folder_in_place_of_one_picture_is_refused(tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "wave.png")
    with pytest.raises(UserError, match=r"style.image = .*: a folder; give one picture"):
        open_style(StyleConfig(image=tmp_path))
    assert run_here("styletransfer.optimize", tmp_path / "wave.png", tmp_path, "-o", tmp_path / "out.png") == 2


def test_a_picture_that_is_mostly_flat_is_warned_of(tmp_path, caplog):
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    poster = np.full((96, 96, 3), 200, np.uint8)
    poster[:, 72:] = noise[:, 72:]
    for name, picture, told in (("noise", noise, False), ("poster", poster, True)):
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
        caplog.clear()
        open_style(StyleConfig(image=tmp_path / f"{name}.png", size=96))
        assert ("hardly any texture" in caplog.text) == told


def test_a_list_of_sizes_is_the_picture_at_each(tmp_path):
    Image.new("RGB", (120, 90)).save(tmp_path / "style.png")
    config = StyleConfig(image=tmp_path / "style.png", size=[32, 64])
    style = open_style(config)
    assert style.size == (85, 64)
    assert [tuple(tensor.shape) for tensor in style_to_tensors(style, config)] == [(1, 3, 32, 42), (1, 3, 64, 85)]
