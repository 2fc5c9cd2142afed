import importlib

import numpy as np
import pytest
import torch
from PIL import Image

from common.batches.show_data import collect_pairs, draw_data
from common.config.yaml_file import load_config
from tests.commands import run_here

STAGES = "train.stages=[{crop: 32, bs: 2, epochs: 1, lr: 1e-3}]"


@pytest.fixture
def get_dls(photos):
    """A function that returns the batches of a task."""

    def get_dls(name, *words):
        task = importlib.import_module(f"{name}.task").TASK
        training = task.training()
        words = [f"data.path={photos}", "data.valid=[0.png]", "loss.l1=1", "train.workers=0", STAGES, *words]
        config = training.settle(load_config(task.config, None, words))
        return training.get_dls(training.get_photos(config), config, config.train.stages[0], torch.device("cpu"))

    return get_dls


def test_the_pairs_are_those_of_training_with_what_was_drawn(get_dls):
    dls = get_dls("superres", "data.degrade=[{jpeg: {quality: [40, 98]}}]")
    inputs, targets, notes = collect_pairs(dls, 3)
    assert len(inputs) == len(targets) == len(notes) == 3
    x, y = next(iter(dls.train))
    assert np.array_equal(np.asarray(inputs[0]), (x[0].permute(1, 2, 0) * 255).round().numpy())
    assert np.array_equal(np.asarray(targets[1]), (y[1].permute(1, 2, 0) * 255).round().numpy())
    assert all(note.startswith("JPEG ") and 40 <= int(note[5:]) <= 98 for note in notes)
    assert len(set(notes)) > 1


def test_what_ages_a_photo_is_said_too(get_dls):
    _, _, notes = collect_pairs(get_dls("colorize", "data.fade=0.2", "data.contrast=0.5", "data.noise=8"), 2)
    assert all("tones ^" in note and "grain" in note for note in notes)
    _, _, notes = collect_pairs(get_dls("colorize"), 2)
    assert notes == ["", ""]


def test_with_several_styles_the_photos_are_shown_not_the_mix(get_dls, tmp_path):
    for name in ("wave", "night"):
        Image.new("RGB", (40, 40)).save(tmp_path / f"{name}.png")
    images = f"style.image=[{tmp_path / 'wave.png'}, {tmp_path / 'night.png'}]"
    gram = "loss.gram={weight: 1, layers: {relu1_2: 1}}"
    inputs, targets, _ = collect_pairs(get_dls("styletransfer", "model.johnson={}", gram, images), 3)
    assert [picture.size for picture in inputs] == [(32, 32)] * 3
    assert [picture.tobytes() for picture in inputs] == [picture.tobytes() for picture in targets]


def test_a_sheet_holds_all_pairs(get_dls):
    one, five = (draw_data(get_dls("superres", "data.crops_per_photo=2"), n) for n in (1, 5))
    assert five.width > 3 * one.width
    assert five.height > 1.8 * one.height


@pytest.mark.parametrize("task", ["superres", "colorize", "styletransfer"])
def test_the_command_writes_a_sheet_and_replaces_none(task, photos, tmp_path):
    words = [f"data.path={photos}", "data.valid=[0.png]", STAGES, "loss.vgg=random", "-o", tmp_path / "pairs.png"]
    assert run_here(f"{task}.show_data", *words, "--n", 3) == 0
    with Image.open(tmp_path / "pairs.png") as sheet:
        assert np.asarray(sheet.convert("L")).std() > 10
    assert run_here(f"{task}.show_data", *words) == 2
