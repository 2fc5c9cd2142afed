"""The three commands, run as a user runs them, on a model trained for seconds."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from skimage.color import rgb2lab

from colorize.config import Config
from colorize.files import load_model, save_model
from colorize.measure import measure, measure_photo
from colorize.photo import color_photo
from common.config.sections import StageConfig, TrainConfig
from common.config.yaml_file import load_config
from common.photos.profiles import SRGB_PROFILE
from tests.commands import learner_predicts, run, run_here

pytestmark = pytest.mark.slow

TINY = [
    "model.pretrained=false", "model.norm=weight", "data.crops_per_photo=64", "data.valid=[1.png]",
    "data.fade=0.1", "data.contrast=0.2", "data.noise=4", "loss.vgg=random", "loss.l1=1",
    "loss.features={weight: 0.1, layers: {relu1_2: 1}}", "loss.gram={weight: 1, layers: {relu1_2: 1}}",
    "train.stages=[{crop: 32, bs: 8, epochs: 2, lr: 3e-3}]",
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(folder of photos, run folder, what the command printed) of one short training on two colourful photos."""
    folder = tmp_path_factory.mktemp("colorize")
    photos = folder / "photos"
    photos.mkdir()
    y, x = np.mgrid[:72, :80]
    orange_above_blue = np.where((y < 40)[..., None], [230, 120, 30], [20, 60, 150]) + (x % 16)[..., None]
    for i in range(3):
        Image.fromarray(orange_above_blue.astype(np.uint8)).save(photos / f"{i}.png")
    Image.new("RGB", (80, 80), "grey").save(photos / "grey.png")
    config = folder / "tiny.yaml"
    config.write_text("train:\n  seed: 1\n")
    done = run("colorize.train", config, f"data.path={photos}", *TINY, f"output.path={folder}", "output.name=run")
    assert done.returncode == 0, done.stdout + done.stderr
    return photos, folder / "run", done.stdout + done.stderr


def test_training_leaves_everything_in_its_run_folder(trained):
    _, folder, printed = trained
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names == {
        "config.yaml", "card.json", "environment.json", "photos.json", "log.txt", "history.csv", "results.csv",
        "comparison.png", "report.html",
        "seen/results.csv", "seen/comparison.png", "model.safetensors", "export.pkl",
        "checkpoints/best.safetensors", "checkpoints/last.safetensors", "checkpoints/resume.pt", ".lock",
        *(f"pictures/epoch_{i:03}.png" for i in (1, 2)),
    }  # fmt: skip
    assert "1 of 4 photos skipped" in printed
    assert "grey, there are no colours to learn" in (folder / "log.txt").read_text()
    assert list(pd.read_csv(folder / "history.csv").columns) == [
        "epoch", "stage", "train_loss", "valid_loss", "ab_error", "psnr_ab", "l1", "features", "gram", "skipped",
        "seconds",
    ]  # fmt: skip


def test_seconds_of_training_find_colours(trained):
    _, folder, printed = trained
    for results in (pd.read_csv(folder / "seen" / "results.csv"), pd.read_csv(folder / "results.csv")):
        average = results.mean(numeric_only=True)
        assert average["prediction ab error"] < 0.7 * average["grey ab error"]
        assert average["prediction PSNR-ab"] > average["grey PSNR-ab"]
        assert average["prediction off by"] < average["grey off by"] == average["target colorfulness"]
    for shown in ("colorfulness", "photos that it trained on", "held-out photos"):
        assert shown in printed


def test_predict_keeps_every_kind_of_photo_and_its_lightness(trained, tmp_path, capsys):
    photos, folder, _ = trained
    inputs = tmp_path / "in"
    inputs.mkdir()
    grey = Image.open(photos / "0.png").convert("L").resize((131, 118))
    grey.save(inputs / "grey.jpg", quality=95)
    grey.save(inputs / "grey.tif")
    grey.convert("LA").save(inputs / "alpha.png")
    grey.convert("P").save(inputs / "palette.png")
    grey.convert("1").save(inputs / "one_bit.png")
    Image.fromarray(np.asarray(grey).astype(np.uint16) * 257).save(inputs / "16_bit.png")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    Image.open(photos / "0.png").save(inputs / "colour.webp", exif=exif, icc_profile=SRGB_PROFILE, lossless=True)
    (inputs / "broken.png").write_bytes((photos / "0.png").read_bytes()[:100])

    arguments = [folder / "model.safetensors", inputs, "-o", tmp_path / "out"]
    done = run("colorize.predict", *arguments, "--size", 40)
    assert done.returncode == 1
    assert "1 of 8 photos failed" in done.stdout
    for name in ("grey.jpg", "grey.tif", "alpha.png", "palette.png", "16_bit.png"):
        with Image.open(tmp_path / "out" / name) as result:
            assert result.mode == ("RGBA" if name == "alpha.png" else "RGB")
            assert result.size == grey.size
            lab = rgb2lab(np.asarray(result.convert("RGB")))
        with Image.open(inputs / name) as photo:
            levels = np.asarray(photo.convert("L")) if name != "16_bit.png" else np.asarray(grey)
        before = rgb2lab(np.stack([levels] * 3, axis=2))[..., 0]
        tolerance = 3 if name == "grey.jpg" else 0.35  # JPEG rounds again, in 8 x 8 blocks
        assert abs(lab[..., 0] - before).max() < tolerance, name
        assert np.hypot(lab[..., 1], lab[..., 2]).mean() > 5, name
    with Image.open(tmp_path / "out" / "colour.webp") as result:
        assert result.size == (72, 80)  # turned upright
        assert result.info["icc_profile"] == SRGB_PROFILE
        assert result.getexif()[0x010F] == "a camera"
    assert run_here("colorize.predict", *arguments) == 2
    assert "exists; add --overwrite" in capsys.readouterr().err


def test_the_exported_learner_works_in_a_fresh_process_elsewhere(trained, tmp_path):
    photos, folder, _ = trained
    Image.open(photos / "0.png").convert("L").resize((90, 101)).save(tmp_path / "grey.png")
    out = tmp_path / "out"
    assert run_here("colorize.predict", folder / "model.safetensors", tmp_path / "grey.png", "-o", out) == 0
    ours = np.asarray(Image.open(out / "grey.png")).transpose(2, 0, 1).astype(float)
    theirs = learner_predicts(folder / "export.pkl", tmp_path / "grey.png", tmp_path)
    assert ours.shape == theirs.shape == (3, 101, 90)
    assert abs(ours - theirs).mean() < 1.5  # Pillow and torch shrink with other rounding
    assert ours.std(axis=0).mean() > 5  # it is coloured


def test_evaluate_measures_beside_grey(trained, tmp_path, caplog):
    photos, folder, _ = trained
    assert not run_here("colorize.evaluate", folder / "model.safetensors", "--data", photos, "-o", tmp_path / "a")
    results = pd.read_csv(tmp_path / "a" / "results.csv")
    assert len(results) == 4
    pd.testing.assert_frame_equal(results[1:2].reset_index(drop=True), pd.read_csv(folder / "results.csv"), rtol=1e-4)
    caplog.clear()
    with caplog.at_level("INFO"):
        assert not run_here("colorize.evaluate", "--baseline", "grey", "--data", photos)
    (table,) = (message for message in caplog.messages if message.startswith("average of"))
    head, grey, *_ = (line.split() for line in table.splitlines())
    assert head[:5] == ["average", "of", "4", "PSNR", "PSNR-ab"]
    assert float(grey[1]) == pytest.approx(results["grey PSNR"].mean(), abs=0.01)
    assert float(grey[6]) == pytest.approx(0, abs=0.01)  # colorfulness


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        ("colorize.train", ["data.min_scale=0", "output.path={tmp}"], "error: command line: data.min_scale = 0: must"),
        ("colorize.predict", ["no.safetensors", "x.png", "-o", "{tmp}"], "error: no.safetensors: no such model file"),
        ("colorize.predict", ["m", "x.png", "-o", "{tmp}", "--size", "0"], "python -m colorize.predict: error:"),
        ("colorize.predict", ["m", "x", "-o", "{tmp}", "--saturation", "nan"], "python -m colorize.predict: error:"),
        ("colorize.evaluate", ["--data", "{tmp}"], "error: give either a MODEL or --baseline"),
    ],
)  # fmt: skip
def test_mistakes_end_with_status_2_and_one_message(tmp_path, capsys, module, arguments, message):
    assert run_here(module, *(argument.format(tmp=tmp_path) for argument in arguments)) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(message)


def test_a_model_of_the_other_task_is_refused(trained, tmp_path, capsys):
    photos, folder, _ = trained
    assert run_here("superres.predict", folder / "model.safetensors", photos, "-o", tmp_path) == 2
    assert "a model for colorize, not for superres: use python -m colorize.predict" in capsys.readouterr().err


def test_compare_measures_each_variant_at_the_size_it_was_trained_at(trained, tmp_path, capsys):
    photos, folder, _ = trained
    config = load_config(Config, folder / "config.yaml")
    model = load_model(folder / "model.safetensors")
    larger = StageConfig(crop=64, bs=8, epochs=1, lr=1e-3)
    save_model(tmp_path / "large.safetensors", model, config.model_copy(update={"train": TrainConfig(stages=[larger])}))
    paths = {"small": folder / "model.safetensors", "large": tmp_path / "large.safetensors"}
    models = {name: load_model(path) for name, path in paths.items()}
    perceptual = lambda results, target: {}  # noqa: E731
    averages = measure(models, [photos / "1.png"], config, tmp_path, perceptual).averages
    for name, size in (("small", 32), ("large", 64)):
        alone, _ = measure_photo(photos / "1.png", {"model": partial(color_photo, model, size=size)})
        assert averages[f"{name} ab error"] == alone["model ab error"]
    assert averages["small ab error"] != averages["large ab error"]
    assert run_here("colorize.compare") == 2
    assert capsys.readouterr().err.startswith("error: give a STUDY.yaml")
