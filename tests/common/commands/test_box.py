"""Models in the box, and cards."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import superres
from colorize.task import TASK as COLORIZE
from common.commands.box import box_of, find_model, split_words
from common.commands.evaluate import get_evaluate_parser, get_folder
from common.commands.models import models_command
from common.commands.predict import get_predict_parser
from common.models.card import read_card, to_markdown
from common.runs.card import without_files
from common.runtime.errors import UserError
from common.runtime.files import write_json
from styletransfer.task import TASK as STYLE
from superres.task import TASK
from tests.commands import run_here
from tests.common.commands.models import write_model


@pytest.fixture
def run_folder(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    write_model(folder / "model.safetensors")
    write_json(
        folder / "card.json", {"task": "superres", "steps": 7, "held-out photos": {"prediction PSNR-Y": 31.2345}}
    )
    for other in "mine_evaluate_Set5", "evaluate-0.5-of-other_Set5":  # of another model, of a mixture
        (folder / other).mkdir()
        (folder / other / "results.csv").write_text("photo,prediction PSNR-Y\na,11\n")
    (folder / "evaluate_Set5").mkdir()
    (folder / "evaluate_Set5/results.csv").write_text("photo,bicubic PSNR-Y,prediction PSNR-Y\na,30,31\nb,32,34\n")
    return folder


@pytest.fixture
def task(run_folder, tmp_path):
    """With a box that has one model, 'twice'."""
    box = tmp_path / "box"
    words = ["--what-for", "tests", "--licence", "Apache-2.0", "--author", "A. Nobody", "--card"]
    assert run_here("superres.export", run_folder, "--share", box / "twice.safetensors", *words) == 0
    return replace(TASK, box=box, first_choice=("other", "twice"))


def test_results_of_another_setting_have_a_folder_of_their_own(task, run_folder, photos):
    def folder(*words):
        words = [str(run_folder), "--data", str(photos), *map(str, words)]
        return get_folder(task, get_evaluate_parser(task, None).parse_args(words)).name

    assert folder() == "evaluate_photos"
    assert folder("--blend", "twice", "--part", 0) == "evaluate-0-of-twice_photos"
    assert folder("--blend", run_folder) == "evaluate-0.5-of-run_photos"
    assert folder("--blend", run_folder, "--steps", 3) == "evaluate_photos"
    assert folder("--low", photos.parent / "small") == "evaluate-low-small_photos"
    assert folder("--scale", 2) == "evaluate_photos"  # which says no more than the model does
    color = get_evaluate_parser(COLORIZE, None)
    args = color.parse_args([str(run_folder), "--data", str(photos), "--vividness", "1", "--size", "200"])
    assert get_folder(COLORIZE, args).name == "evaluate-size-200-vividness-1.0_photos"
    words = [str(run_folder), "--data", str(photos), "--style", "night.png"]
    args = get_evaluate_parser(STYLE, None).parse_args(words)
    assert get_folder(STYLE, args).name == "evaluate-style-night_photos"


def test_blend_takes_a_name_in_the_box(task, run_folder):
    for word, path in ("twice", task.box / "twice.safetensors"), (run_folder, run_folder / "model.safetensors"):
        args = get_predict_parser(task, None).parse_args(["model.safetensors", "photo.jpg", "--blend", str(word)])
        assert args.blend == path


def test_a_shared_model_has_its_card_and_makes_the_same_pictures(task, run_folder, photos):
    card = read_card(box_of(task)["twice"])
    assert {key: card[key] for key in ("task", "steps", "what for", "licence", "author")} == {
        "task": "superres", "steps": 7, "what for": "tests", "licence": "Apache-2.0", "author": "A. Nobody",
    }  # fmt: skip
    assert card["figures"] == {"Set5": "PSNR-Y 32.5"}
    assert len(card["sha256 of the weights"]) == 64
    ours, theirs = (superres.load(path)(photos / "0.png") for path in (run_folder, task.box / "twice.safetensors"))
    difference = np.abs(np.asarray(ours).astype(int) - np.asarray(theirs))
    assert difference.max() <= 1
    small, large = (
        (folder).stat().st_size for folder in (task.box / "twice.safetensors", run_folder / "model.safetensors")
    )
    assert small < 0.8 * large
    page = (task.box / "README.md").read_text()
    assert page.startswith("---\nlicense: apache-2.0\n")
    assert "| Set5 | PSNR-Y 32.5 |" in page
    assert page == to_markdown(card, "twice")


def test_a_name_in_the_box_is_a_model_unless_a_file_here_has_it(task, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.chdir(tmp_path)
    assert find_model(task, "twice") == task.box / "twice.safetensors"
    (tmp_path / "twice").mkdir()
    (tmp_path / "twice/model.safetensors").touch()
    assert find_model(task, "twice") == tmp_path.joinpath("twice/model.safetensors").relative_to(tmp_path)
    assert "twice: the one in this folder, not the model in the box" in caplog.text


def test_the_first_word_is_a_model_or_a_photo(task, run_folder, photos, monkeypatch):
    monkeypatch.chdir(photos)
    boxed = task.box / "twice.safetensors"
    assert split_words(task, ["0.png"]) == (boxed, ["0.png"])
    assert split_words(task, ["0.png", "1.png"]) == (boxed, ["0.png", "1.png"])
    assert split_words(task, [str(photos)]) == (boxed, [str(photos)])
    assert split_words(task, ["twice", "0.png"]) == (boxed, ["0.png"])
    assert split_words(task, [str(run_folder), "0.png"]) == (run_folder / "model.safetensors", ["0.png"])
    for words, message in (
        (["twice"], "twice: a model; name the photos after it"),
        (["twise", "0.png"], "twise: no such model file, photo or folder; did you mean 'twice'?"),
    ):
        with pytest.raises(UserError, match=message.replace("?", r"\?")):
            split_words(task, words)
    with pytest.raises(UserError, match="not a model; give"):
        split_words(replace(task, first_choice=()), ["0.png"])


def test_the_list_and_a_card(task, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("sys.argv", ["models"])
    models_command(task, None)
    assert "twice         0.0 MB  tests" in caplog.text
    assert "Set5 PSNR-Y 32.5" in caplog.text
    assert "licence Apache-2.0, A. Nobody" in caplog.text
    monkeypatch.setattr("sys.argv", ["models", "twice"])
    models_command(task, None)
    assert "what for:      tests" in caplog.text
    caplog.clear()
    monkeypatch.setattr("sys.argv", ["models"])
    models_command(replace(task, box=None), None)
    assert "no model is in the box yet" in caplog.text


def test_without_a_model_the_first_choice_enhances(photos, tmp_path, monkeypatch, capsys):
    if not box_of(TASK):
        pytest.skip("no model is in the box")
    monkeypatch.chdir(tmp_path)
    assert run_here("superres.predict", photos / "0.png") == 0
    assert Image.open(tmp_path / "enhanced/0.png").size == (160, 144)


@pytest.mark.parametrize("task", [TASK, STYLE])
def test_every_model_in_the_box_has_a_whole_card(task):
    for name, path in box_of(task).items():
        card = read_card(path)
        missing = {"what for", "licence", "author", "photos", "steps", "minutes", "hardware", "figures"} - set(card)
        assert not missing, name
        assert path.stat().st_size < 3e6
        assert "/" not in json.dumps(card.get("config"))


def test_a_card_is_asked_for_with_a_file_to_share(run_folder, tmp_path, capsys):
    assert run_here("superres.export", run_folder, "-o", tmp_path / "a.onnx", "--author", "A. Nobody") == 2
    assert "--author: only with --share OUT.safetensors" in capsys.readouterr().err
    assert run_here("superres.export", run_folder, "--share", tmp_path / "a.pth") == 2


def test_a_card_replaces_no_page_that_is_none(run_folder, tmp_path, capsys):
    (tmp_path / "README.md").write_text("# perceptual-enhance\n")
    words = ["superres.export", run_folder, "--share", tmp_path / "a.safetensors", "--card", "--overwrite"]
    assert run_here(*words) == 2
    assert "README.md: exists, and is not a model's card; give the file of --share a folder of its own" in (
        capsys.readouterr().err
    )
    assert (tmp_path / "README.md").read_text() == "# perceptual-enhance\n"
    assert not (tmp_path / "a.safetensors").exists()
    (tmp_path / "README.md").unlink()
    assert run_here(*words) == run_here(*words) == 0  # its own card it does


def test_a_style_is_not_shared_alone(run_folder, tmp_path, capsys):
    assert run_here("styletransfer.export", run_folder, "--share", tmp_path / "a.safetensors", "--style", "wave") == 2
    assert "--style: not with --share, which writes the model as it is" in capsys.readouterr().err


def test_a_shared_file_that_exists_may_have_another_name(run_folder, tmp_path, capsys):
    (tmp_path / "a.safetensors").touch()
    assert run_here("superres.export", run_folder, "--share", tmp_path / "a.safetensors") == 2
    assert "a.safetensors: exists; add --overwrite, or give another name\n" in capsys.readouterr().err


def test_photos_may_come_after_an_option(photos, tmp_path):
    args = get_predict_parser(TASK, None).parse_intermixed_args(["m.safetensors", "-o", str(tmp_path), "a.png"])
    assert args.words == ["m.safetensors", "a.png"]


def test_a_run_without_a_model_is_no_folder_of_photos(task, tmp_path):
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished/environment.json").touch()
    with pytest.raises(UserError, match="a run that has no model yet"):
        split_words(task, [str(tmp_path / "unfinished"), "0.png"])


def test_a_card_names_no_file_of_the_machine():
    values = {"low": [Path("scans")], "styles": [Path("a.jpg"), "kept"], "deep": {"start": Path("/x"), "none": []}}
    assert without_files(values) == {"styles": ["kept"], "deep": {"none": []}}
