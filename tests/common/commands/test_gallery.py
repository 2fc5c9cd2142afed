"""`python -m TASK.gallery`, as a user calls it."""

import logging
import re

import numpy as np
import pytest
from PIL import Image

from colorize.config import Config as ColorConfig
from colorize.files import save_model as save_colorizer
from colorize.network import get_model as get_colorizer
from common.commands.configs import CONFIGS
from common.config.yaml_file import load_config
from styletransfer.config import Config as StyleConfig
from styletransfer.files import save_model as save_stylizer
from styletransfer.network import get_model as get_stylizer
from superres.config import Config
from superres.files import save_model
from superres.network import get_model
from tests.commands import run_here
from tests.common.commands.models import write_model
from tests.hostile import make_photos


@pytest.fixture
def models(tmp_path):
    """Three files: two of 2x, one of 4x."""
    for name in ("one", "two"):
        write_model(tmp_path / f"{name}.safetensors")
    config = load_config(Config, CONFIGS / "superres_pixel_4x.yaml", ["model={network: srcnn}"])
    save_model(tmp_path / "four.safetensors", get_model(config.model, 4), config)
    return [tmp_path / f"{name}.safetensors" for name in ("one", "two", "four")]


def figures(page):
    """[(photo, its pictures)] of a page."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(r'<figure class="compare" data-photo="([^"]*)">(.*?)</figure>', text, re.DOTALL)
    return [(name, set(re.findall(r"<option[^>]*>([^<]*)</option>", figure))) for name, figure in found]


def test_every_photo_is_shown_under_every_model_and_a_broken_one_is_named(models, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    make_photos(tmp_path / "photos", tmp_path / "bad", tmp_path / "none")
    (tmp_path / "bad/empty.jpg").rename(tmp_path / "photos/empty.jpg")
    page = tmp_path / "new" / "page.html"
    assert run_here("superres.gallery", *models[:2], "--data", tmp_path / "photos", "-o", page) == 1
    assert figures(page) == [(name, {"bicubic", "one", "two"}) for name in ("0.png", "1.jpg", "2.png")]
    assert f"failed {tmp_path}/photos/empty.jpg: the file is empty" in caplog.messages
    assert "Seconds for each million pixels" in page.read_text()
    one = next(message for message in caplog.messages if message.startswith("one: "))
    size, parameters = models[0].stat().st_size / 1e6, 3 * 64 * 81 + 64 + 64 * 32 + 32 + 32 * 3 * 25 + 3
    assert re.fullmatch(rf"one: [\d.e-]+ seconds a megapixel, {size:.1f} MB, {parameters:,} parameters", one)
    assert [path.name for path in page.parent.iterdir()] == ["page.html"]


def test_a_page_is_replaced_only_if_that_is_asked_for(models, photos, tmp_path, capsys):
    words = ["superres.gallery", models[0], "--data", photos / "0.png", "-o", tmp_path / "page.html"]
    (tmp_path / "page.html").write_text("mine")
    assert run_here(*words) == 2
    assert "page.html: exists; add --overwrite, or give another name with -o" in capsys.readouterr().err
    assert (tmp_path / "page.html").read_text() == "mine"
    assert run_here(*words, "--overwrite") == 0
    assert figures(tmp_path / "page.html") == [("0.png", {"bicubic", "one"})]


def test_models_of_different_scales_need_one_size(models, photos, tmp_path, capsys):
    words = ["superres.gallery", *models, "--data", photos / "0.png", "-o", tmp_path / "page.html"]
    assert run_here(*words) == 2
    assert (
        "models of different scales (2x: one, two; 4x: four): give models of one scale, or one size for all results "
        "(one of --scale, --width, --height, --longest, --megapixels)" in capsys.readouterr().err
    )
    assert not (tmp_path / "page.html").exists()
    assert run_here(*words, "--width", 200) == 0
    assert figures(tmp_path / "page.html") == [("0.png", {"bicubic", "one", "two", "four"})]
    assert "200 x 180 px, in full detail" in (tmp_path / "page.html").read_text()  # of 80 x 72


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["one.safetensors", "-o", "page.png"], "-o page.png: must end in .html"),
        (["one.safetensors", "-o", "folder.html"], "-o folder.html: a folder"),
        (["one.safetensors", "no.pth"], "no.pth: no such model file"),
        (["one.safetensors", "--data", "nothing"], "nothing: no such folder of photos"),
        (["one.safetensors", "--scale", "2", "--width", "9"], "--scale and --width: give one"),
    ],
)
def test_mistakes_are_told_before_work_starts(models, photos, tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.html").mkdir()
    assert run_here("superres.gallery", "--data", photos, *words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "gallery.html").exists()


@pytest.mark.slow
def test_an_onnx_file_is_a_column_with_the_same_pictures(models, photos, tmp_path):
    pytest.importorskip("onnxscript")
    assert run_here("superres.export", models[0], "-o", tmp_path / "mine.onnx") == 0
    page = tmp_path / "page.html"
    assert run_here("superres.gallery", models[0], tmp_path / "mine.onnx", "--data", photos, "-o", page) == 0
    assert figures(page) == [(f"{i}.png", {"bicubic", "one", "mine"}) for i in range(6)]
    pairs = re.findall(r'data-name="(?:one|mine)" src="([^"]*)"', page.read_text())
    assert len(pairs) == 12
    for ours, onnx in zip(pairs[::2], pairs[1::2], strict=True):
        assert len(ours) == pytest.approx(len(onnx), rel=0.05)


def test_paintings_stand_beside_their_photo_with_the_options_of_the_task(photos, tmp_path):
    config = load_config(StyleConfig, CONFIGS / "styletransfer_demo.yaml", ["model.johnson.width=4", "loss.vgg=random"])
    save_stylizer(tmp_path / "painter.safetensors", get_stylizer(config.model), config)
    words = [tmp_path / "painter.safetensors", "--data", photos, "--strength", 0, "-o", tmp_path / "page.html"]
    assert run_here("styletransfer.gallery", *words) == 0
    assert figures(tmp_path / "page.html") == [(f"{i}.png", {"photo", "painter"}) for i in range(6)]
    addresses = re.findall(r'data-name="(?:photo|painter)" src="([^"]*)"', (tmp_path / "page.html").read_text())
    assert len(addresses) == 12 and addresses[::2] == addresses[1::2]  # at strength 0 the painting is the photo


def test_without_a_model_a_photo_is_enlarged_bicubically_or_grey():
    from colorize.task import TASK as COLORIZE
    from superres.task import TASK as SUPERRES

    photo = np.random.default_rng(0).integers(0, 256, (12, 10, 3), np.uint8)
    name, large = SUPERRES.use().plain(photo, 2, tta=True)
    assert (name, large.shape) == ("bicubic", (24, 20, 3))
    assert np.array_equal(large, Image.fromarray(photo).resize((20, 24), Image.Resampling.BICUBIC))
    assert SUPERRES.use().plain(photo, 2, width=15)[1].shape == (18, 15, 3)
    assert SUPERRES.use().plain(photo, 1) == ("photo", photo)
    name, grey = COLORIZE.use().plain(photo, 1, saturation=2.0)
    assert name == "grey"
    assert (grey == grey[..., :1]).all()


def test_hints_are_of_the_photo_not_of_the_piece_that_warms_a_model_up(tmp_path):
    config = load_config(ColorConfig, CONFIGS / "colorize_demo.yaml", ["model.encoder=resnet18"])
    save_colorizer(tmp_path / "a.safetensors", get_colorizer(config.model.without_pretrained(), 64), config)
    Image.new("RGB", (600, 300), (120, 130, 140)).save(tmp_path / "photo.png")
    (tmp_path / "hints.json").write_text('[{"x": 590, "y": 10, "color": "#e07b39"}]')
    words = ["--data", tmp_path / "photo.png", "--hints", tmp_path / "hints.json", "-o", tmp_path / "page.html"]
    assert run_here("colorize.gallery", tmp_path / "a.safetensors", *words) == 0
