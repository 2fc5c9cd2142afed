"""The names of styles: of files, on command lines, in model files."""

from pathlib import Path
from unicodedata import normalize

import pytest
from PIL import Image

from common.config.yaml_file import load_config
from common.models.model_file import read_model_file, write_model_file
from common.runtime.errors import UserError
from styletransfer.config import Config, StyleConfig
from styletransfer.files import NAME, load_model, read_styles
from styletransfer.network import get_model, in_style
from styletransfer.style import find_styles, style_file
from tests.styletransfer.test_styles import GRAM, SMALL, write_model


def test_styles_are_named_after_their_files(tmp_path):
    for name in ("wave.png", "night_sky.jpg"):
        Image.new("RGB", (40, 40)).save(tmp_path / name)
    listed = StyleConfig(image=[tmp_path / "wave.png", tmp_path / "night_sky.jpg"])
    assert list(find_styles(listed)) == ["wave", "night_sky"]
    assert sorted(find_styles(StyleConfig(image=tmp_path))) == ["night_sky", "wave"]
    with pytest.raises(UserError, match="2 styles with the name wave"):
        find_styles(StyleConfig(image=[tmp_path / "wave.png"], add=True, kept=["wave"]))


@pytest.mark.parametrize("name", ["a.b", "night sky", " wave", "wave\u00a0", "photo", "style", "prediction"])
def test_a_name_that_a_command_or_a_table_would_misread_is_refused(name, tmp_path):
    with pytest.raises(
        UserError, match=r"a style's name may have no blank, ':', .*; rename|tables call something else"
    ):
        find_styles(StyleConfig(image=[tmp_path / f"{name}.png", tmp_path / "wave.png"]))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (None, "this model has several styles; choose one or a mix with --style: wave, night"),
        ("waev", "no style 'waev'; did you mean 'wave'?"),
        ("wave:much", "'much' is no number"),
        ("wave:0", "each part must be 0 or more, and one of them more"),
        ("wave:2,night:-1", "each part must be 0 or more, and one of them more"),
        ("wave:nan", "all must be finite"),
        ("wave:1e308,night:1e308", "all must be finite"),
    ],
)
def test_a_style_that_is_not_there_is_told(words, message):
    with pytest.raises(UserError) as error:
        in_style(get_model(SMALL, ["wave", "night"]), words)
    assert message in str(error.value)


def test_a_styles_name_is_the_same_in_both_forms_of_unicode(tmp_path):
    composed, decomposed = (normalize(form, "café") for form in ("NFC", "NFD"))
    (tmp_path / "styles").mkdir()
    for folder in (tmp_path, tmp_path / "styles"):
        Image.new("RGB", (8, 8)).save(folder / f"{decomposed}.png")
    assert list(find_styles(StyleConfig(image=[tmp_path / f"{decomposed}.png", Path("wave.png")]))) == [
        composed,
        "wave",
    ]
    model = get_model(SMALL, [decomposed, "wave"])  # as a Mac saved it
    assert all(in_style(model, name) for name in (composed, f"{decomposed}:0.5, wave"))
    assert style_file(tmp_path, composed).is_file()
    with pytest.raises(UserError, match="2 styles with the name café"):
        find_styles(StyleConfig(image=[Path(f"{decomposed}.png"), Path(f"{composed}.jpg")]))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.unet={}", "style.image=[a.png, b.png]"], "only model.johnson can have several styles"),
        (["model.johnson={}", "style.add=true"], "style.add: needs train.start_from"),
        (["model.johnson={}", "style.image=[]"], "an empty list; name a picture"),
        (["model.johnson={}", "style.kept=[a]"], "kept: goes with add: true"),
    ],
)
def test_a_mistake_in_the_config_is_told(words, message):
    stages = "train.stages=[{crop: 64, bs: 2, epochs: 1, lr: 1e-3}]"
    with pytest.raises(UserError) as error:
        load_config(Config, None, [f"loss.gram={GRAM}", stages, *words])
    assert message in str(error.value)


@pytest.mark.parametrize("styles", [None, 5, [1, 2], ["a", "a"], "ab", ["a", ""], [["a"], ["b"]], {"a": 1}])
def test_damaged_names_of_styles_are_refused(styles, tmp_path):
    path = write_model(tmp_path)
    values, _ = read_model_file(path, NAME)
    write_model_file(path, get_model(SMALL, ["a", "b"]), NAME, {**values, "styles": styles})
    for read in (load_model, read_styles):
        with pytest.raises(UserError, match="the styles in its config must be different names, not "):
            read(path)
