import re
from unicodedata import normalize

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, ImageFilter

from common.batches.folders import sample_photos
from common.config.yaml_file import load_config
from common.runtime.errors import UserError
from superres.config import Config
from superres.data import get_dls, get_photos
from superres.pairs import measure_shift, upright_size
from tests.commands import run_here

CPU = torch.device("cpu")
STAGES = "train.stages=[{crop: 32, bs: 2, epochs: 1, lr: 1e-3}, {crop: 64, bs: 2, epochs: 1, lr: 1e-3}]"
SRCNN = ["loss.l1=1", "model={network: srcnn}", "data.valid=[0.png]", STAGES]


@pytest.fixture
def low(photos, tmp_path):
    """A folder of low sides: each pixel is the upper left one of two by two, minus 1."""
    (tmp_path / "low").mkdir()
    for path in photos.iterdir():
        pixels = np.asarray(Image.open(path).convert("RGB"))[::2, ::2]
        Image.fromarray(pixels - (pixels > 0)).save(tmp_path / "low" / path.name)
    return tmp_path / "low"


def config_for(photos, low, *words):
    words = [f"data.path={photos}", f"data.low={low}", "loss.l1=1", "train.workers=0", "data.valid=[0.png]", *words]
    return load_config(Config, None, [STAGES, *words])


def test_both_sides_are_cut_and_turned_in_step(photos, low):
    config = config_for(photos, low, "data.crops_per_photo=8")
    dls = get_dls(get_photos(config), config, config.train.stages[0], CPU)
    seen = set()
    for x, y in dls.train:
        assert (x.shape, y.shape) == ((2, 3, 16, 16), (2, 3, 32, 32))
        for small, large in zip(x.as_subclass(torch.Tensor), y.as_subclass(torch.Tensor), strict=True):
            corners = [large[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]  # which one it is tells how it was turned
            off = [((c - (c > 0) / 255) - small).abs().max().item() for c in corners]
            assert min(off) < 1e-5
            seen.add(off.index(min(off)))
    assert seen == {0, 1, 2, 3}
    x, y = dls.valid.one_batch()
    sharp = np.asarray(Image.open(photos / "0.png").convert("RGB"))[4:68, 8:72]
    assert np.array_equal((y[0] * 255).round().permute(1, 2, 0).numpy().astype(np.uint8), sharp)
    assert x.shape == (1, 3, 32, 32)


def test_what_cannot_be_a_pair_is_refused_by_name(photos, low):
    (low / "3.png").unlink()
    with pytest.raises(UserError, match=r"data.low = .*: 1 photo without a file of the same name there: .*3.png"):
        get_photos(config_for(photos, low))
    Image.new("RGB", (40, 35)).save(low / "3.png")
    with pytest.raises(UserError, match=r"3.png is 80 x 72 px, .*3.png 40 x 35"):
        get_photos(config_for(photos, low))
    with pytest.raises(UserError, match=r"sizes must be 4 times apart: .*; and 5 more"):
        get_photos(config_for(photos, low, "data.scale=4"))
    (low / "3.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"3.png: cannot be read"):
        get_photos(config_for(photos, low))
    with pytest.raises(UserError, match="low and degrade: the files are as they are"):
        config_for(photos, low, "data.degrade=photo")
    with pytest.raises(UserError, match="low: needs path"):
        load_config(Config, None, ["data.low=x", "loss.l1=1", STAGES])


def test_a_small_photo_that_was_not_checked_is_skipped_with_a_line(photos, low, monkeypatch, caplog):
    monkeypatch.setattr("common.batches.folders.CHECKED_AT_START", 5)
    for folder, size in ((photos, (60, 80)), (low, (30, 40))):  # the largest crop has 64
        Image.open(photos / "4.png").resize(size).save(folder / "5.png")
    config = config_for(photos, low, "data.crops_per_photo=4")
    dls = get_dls(get_photos(config), config, config.train.stages[1], CPU)
    assert sum(len(x) for x, _ in dls.train) == 20  # others took the places of its four crops
    (line,) = [message for message in caplog.messages if "5.png" in message]
    assert line.endswith("5.png: 30 x 40 px, smaller than the 32 px crop")


def test_the_sides_of_a_pair_may_be_named_in_both_forms_of_unicode(photos, low):
    (photos / "1.png").rename(photos / normalize("NFC", "é.png"))
    (low / "1.png").rename(low / normalize("NFD", "é.png"))
    config = config_for(photos, low)
    split = get_photos(config)
    assert sum(len(x) for x, _ in get_dls(split, config, config.train.stages[0], CPU).train) == 4


def test_a_shift_between_the_sides_is_measured_and_told(tmp_path, caplog):
    whole = Image.open(next(path for path in sample_photos() if path.name == "coffee.png")).convert("RGB")
    (tmp_path / "sharp").mkdir()
    (tmp_path / "low").mkdir()
    for i in range(3):
        left = 100 + 40 * i
        whole.crop((left, 100, left + 128, 228)).save(tmp_path / f"sharp/{i}.png")
        moved = whole.crop((left - 4, 102, left + 124, 230))  # its content is 4 pixels further right, 2 further up
        moved.resize((64, 64), Image.Resampling.BICUBIC).save(tmp_path / f"low/{i}.png")
    assert measure_shift(tmp_path / "sharp/0.png", tmp_path / "low/0.png") == pytest.approx((2, -1), abs=0.15)
    get_photos(config_for(tmp_path / "sharp", tmp_path / "low", "data.valid=[0.png]"))
    told = re.search(r"shifted by about ([\d.]+) px to the right and ([\d.]+) px up \(in 3 pairs\)", caplog.text)
    assert [float(number) for number in told.groups()] == pytest.approx([2, 1], abs=0.15)


@pytest.mark.slow
def test_pairs_of_one_size_train_and_are_measured(photos, tmp_path, capsys):
    (tmp_path / "old").mkdir()
    for photo in photos.iterdir():
        with Image.open(photo) as image:
            image.filter(ImageFilter.GaussianBlur(1)).save(tmp_path / "old" / photo.name)
    words = [f"data.path={photos}", f"data.low={tmp_path / 'old'}", "data.scale=1", "data.crops_per_photo=2", *SRCNN]
    words += [f"output.path={tmp_path}", "output.name=run"]
    assert run_here("superres.train", *words) == 0
    run = tmp_path / "run"
    assert run_here("superres.predict", run, tmp_path / "old/1.png", "-o", tmp_path / "out") == 0
    assert not run_here("superres.evaluate", run, "--data", photos, "--low", tmp_path / "old", "-o", tmp_path / "all")
    assert pd.read_csv(tmp_path / "all/results.csv")["input PSNR-Y"].max() < 50
    capsys.readouterr()
    assert run_here("superres.evaluate", run, "--data", photos, "-o", tmp_path / "none") == 2
    assert "was trained on pairs of files, and so is measured: give the inputs with --low" in capsys.readouterr().err


@pytest.mark.slow
def test_a_model_of_pairs_trains_resumes_and_is_measured_on_pairs(photos, low, tmp_path):
    words = [f"data.path={photos}", f"data.low={low}", "data.crops_per_photo=2", *SRCNN]
    assert run_here("superres.train", *words, f"output.path={tmp_path}", "output.name=run") == 0
    run = tmp_path / "run"
    assert run_here("superres.train", "--resume", run, "train.stages.1.epochs=2") == 0
    assert len(pd.read_csv(run / "history.csv")) == 3
    assert not run_here("superres.evaluate", run, "--data", photos, "--low", low, "-o", tmp_path / "all")
    expected = pd.read_csv(run / "results.csv")["bicubic PSNR-Y"][0]
    measured = pd.read_csv(tmp_path / "all/results.csv").set_index("photo")["bicubic PSNR-Y"]
    assert measured["0.png"] == expected
    assert str(low).encode() not in (run / "model.safetensors").read_bytes()
    assert not run_here("superres.show_data", *words, "-o", tmp_path / "pairs.png", "--n", 2)


@pytest.mark.parametrize("ending", ["tif", "jpg", "png"])
def test_a_size_is_that_of_the_photo_as_it_is_seen(tmp_path, ending):
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    path = tmp_path / f"a.{ending}"
    Image.new("RGB", (40, 20)).save(path, exif=exif)
    assert upright_size(path) == (20, 40)
