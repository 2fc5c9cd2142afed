"""The four commands, run as a user runs them, on a network trained for seconds."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.commands import learner_predicts, read_table, run, run_here

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("wide")]

LAYERS = "layers: {relu1_1: 1, relu1_2: 1}"
TINY = [
    "model.johnson.width=8", "data.crops_per_photo=40", "data.valid=[1.png]", "style.size=48", "loss.vgg=random",
    "loss.tv=0.1", f"loss.features={{weight: 1, distance: relative, {LAYERS}}}",
    f"loss.gram={{weight: 1, distance: relative, {LAYERS}}}",
    "train.stages=[{crop: 48, bs: 1, epochs: 3, lr: 3e-3}]",
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(folder of photos, run folder, what the command printed, the style's path) of one short training."""
    folder = tmp_path_factory.mktemp("styletransfer")
    photos, style = folder / "photos", folder / "a style.png"
    photos.mkdir()
    y, x = np.mgrid[:72, :80]
    for i in range(3):
        disc = 60 + 140 * ((x - 30 - 5 * i) ** 2 + (y - 30) ** 2 < 400)
        Image.fromarray(np.stack([disc, disc // 2, disc // 2], axis=2).astype(np.uint8)).save(photos / f"{i}.png")
    stripes = np.where(((x + y) // 6 % 2 == 0)[..., None], [20, 60, 200], [240, 230, 90])
    Image.fromarray(stripes.astype(np.uint8)).save(style)
    config = folder / "tiny.yaml"
    config.write_text("train:\n  seed: 1\n")
    arguments = [f"data.path={photos}", f"style.image={style}", *TINY, f"output.path={folder}", "output.name=run"]
    done = run("styletransfer.train", config, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return photos, folder / "run", done.stdout + done.stderr, style


def test_training_leaves_everything_in_its_run_folder(trained):
    _, folder, printed, _ = trained
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names == {
        "config.yaml", "card.json", "environment.json", "photos.json", "log.txt", "history.csv", "results.csv",
        "comparison.png", "report.html",
        "style.png", "model.safetensors", "export.pkl", ".lock",
        "checkpoints/best.safetensors", "checkpoints/last.safetensors", "checkpoints/resume.pt",
        *(f"pictures/epoch_{i:03}.png" for i in range(1, 4)),
    }  # fmt: skip
    assert list(pd.read_csv(folder / "history.csv").columns) == [
        "epoch", "stage", "train_loss", "valid_loss", "content_kept", "tv", "features", "gram", "skipped", "seconds",
    ]  # fmt: skip
    assert Image.open(folder / "style.png").size == (53, 48)
    assert "loss.vgg = random" in printed


def test_seconds_of_training_bring_the_style_nearer_and_keep_the_photo(trained):
    _, folder, _, _ = trained
    (results,) = pd.read_csv(folder / "results.csv").to_dict("records")
    assert results["prediction gram"] < 0.5 * results["photo gram"]
    assert results["photo kept"] == 1
    assert results["prediction kept"] > 0.05
    shares = sum(results[f"prediction {term}"] for term in ("tv", "features", "gram"))
    assert results["prediction loss"] == pytest.approx(shares, rel=1e-5)


def test_predict_paints_any_photo_more_or_less(trained, tmp_path, capsys):
    photos, folder, _, _ = trained
    inputs, model = tmp_path / "in", folder / "model.safetensors"
    inputs.mkdir()
    photo = Image.open(photos / "0.png")
    photo.resize((141, 118)).save(inputs / "photo.png")
    photo.convert("L").save(inputs / "grey.jpg")
    photo.convert("LA").save(inputs / "alpha.png")
    (inputs / "broken.png").write_bytes((photos / "0.png").read_bytes()[:100])
    done = run("styletransfer.predict", model, inputs, "-o", tmp_path / "whole", "--tile", 96)
    assert done.returncode == 1
    assert "1 of 4 photos failed" in done.stdout
    assert run_here("styletransfer.predict", model, photos / "0.png", "-o", tmp_path / "1") == 0
    more = ["--strength", "0.3", "--keep-colors"]
    assert run_here("styletransfer.predict", model, photos / "0.png", "-o", tmp_path / "2", *more) == 0
    with Image.open(tmp_path / "whole" / "photo.png") as result:
        assert (result.size, result.mode) == ((141, 118), "RGB")
    with Image.open(tmp_path / "whole" / "alpha.png") as result:
        assert result.mode == "RGBA"
    with Image.open(tmp_path / "whole" / "grey.jpg") as result:
        assert result.mode == "RGB"  # colours of the style on a grey photo
    full, less = (np.asarray(Image.open(tmp_path / name / "0.png")).astype(float) for name in "12")
    assert 5 < abs(less - np.asarray(photo)).mean() < 0.5 * abs(full - np.asarray(photo)).mean()
    assert run_here("styletransfer.predict", model, photos / "0.png", "-o", tmp_path / "1") == 2
    assert "exists; add --overwrite" in capsys.readouterr().err


def test_the_exported_learner_works_in_a_fresh_process_elsewhere(trained, tmp_path):
    photos, folder, _, _ = trained
    Image.open(photos / "0.png").resize((90, 101)).save(tmp_path / "photo.png")
    out = tmp_path / "out"
    assert run_here("styletransfer.predict", folder / "model.safetensors", tmp_path / "photo.png", "-o", out) == 0
    ours = np.asarray(Image.open(out / "photo.png")).transpose(2, 0, 1).astype(float)
    theirs = learner_predicts(folder / "export.pkl", tmp_path / "photo.png", tmp_path)
    assert abs(ours - theirs).max() <= 1
    again = ["--trust-pickle", "--overwrite"]
    exported = folder / "export.pkl"
    assert run_here("styletransfer.predict", exported, tmp_path / "photo.png", "-o", out, *again) == 0
    assert abs(np.asarray(Image.open(out / "photo.png")).transpose(2, 0, 1) - ours).max() <= 1


def test_evaluate_compares_with_optimising_the_pixels(trained, tmp_path):
    photos, folder, _, _ = trained
    arguments = ["--data", photos, "-o", tmp_path, "--optimize", 2, 60]
    done = run("styletransfer.evaluate", folder / "model.safetensors", *arguments)
    assert done.returncode == 0, done.stderr
    results = pd.read_csv(tmp_path / "results.csv")
    assert len(results) == 3
    (trained_on,) = pd.read_csv(folder / "results.csv").to_dict("records")
    same = results[results.photo == "1.png"].iloc[0]
    assert same["prediction loss"] == pytest.approx(trained_on["prediction loss"], rel=1e-3)
    assert (results["optimized-60 loss"] < results["optimized-2 loss"]).all()
    assert (results["optimized-60 seconds"] > 10 * results["prediction seconds"]).all()
    assert results["prediction like"].between(1, 60).all()
    ratio = results["optimized-60 seconds"].mean() / results["prediction seconds"].mean()
    assert f"60 iterations take {ratio:.0f} times as long as the network, at up to 256 px" in done.stdout


def test_optimize_paints_one_photo(trained, tmp_path, capsys):
    photos, _, _, style = trained
    config = tmp_path / "loss.yaml"
    config.write_text("model: {johnson: {}}\ntrain: {stages: [{crop: 32, bs: 1, epochs: 1, lr: 0.1}]}\n")
    out = tmp_path / "new" / "painted.png"
    style = Path(shutil.copy(style, tmp_path / "a b, photo.png"))  # no name of a style, which needs none here
    words = [*TINY[4:-1], "style.size=48", "style.strength=true"]
    arguments = [photos / "0.png", style, config, *words, "-o", out, "--size", 40]
    done = run("styletransfer.optimize", *arguments, "--iterations", 60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert Image.open(out).size == (44, 40)
    first, last = (float(line.split()[2]) for line in done.stdout.splitlines() if line[0].isdigit())
    assert last < first
    assert run_here("styletransfer.optimize", *arguments, "loss.balance=start") == 2
    assert "loss.balance: shares are measured when a network is trained" in capsys.readouterr().err
    assert run_here("styletransfer.optimize", *arguments) == 2
    assert "painted.png: exists; add --overwrite" in capsys.readouterr().err
    assert run_here("styletransfer.optimize", *arguments[:-3], tmp_path / "x.psd") == 2
    assert "x.psd: must end in one of" in capsys.readouterr().err


def test_a_run_goes_on_with_its_own_copy_of_the_style(trained):
    _, folder, _, style = trained
    style.rename(style.with_suffix(".moved"))
    try:
        done = run("styletransfer.train", "--resume", folder, "train.stages.0.epochs=4")
    finally:
        style.with_suffix(".moved").rename(style)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(pd.read_csv(folder / "history.csv")) == 4


def test_compare_measures_all_variants_by_one_loss(trained, tmp_path):
    _, folder, _, _ = trained
    (tmp_path / "base.yaml").write_text((folder / "config.yaml").read_text())
    study = tmp_path / "study.yaml"
    study.write_text("base: base.yaml\nvariants: {both: {}, colors: {loss.gram.layers: {relu1_1: 1}}}\n")
    words = ["train.stages.0.epochs=1", f"output.path={tmp_path}", "output.name=study", "data.crops_per_photo=8"]
    done = run("styletransfer.compare", study, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    results = pd.read_csv(tmp_path / "study/results.csv")
    for name in ("photo", "both", "colors"):
        shares = results[f"{name} features"] + results[f"{name} gram"]  # neither variant's own loss, which has tv
        assert results[f"{name} loss"].to_numpy() == pytest.approx(shares.to_numpy(), rel=1e-5)
    head, *rows = read_table(tmp_path / "study/report.html")
    assert all(metric in head for metric in ("loss ↓", "features ↓", "gram ↓", "kept ↑"))
    assert [row[0] for row in rows] == ["photo", "both", "colors"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model.unet.norm=batch"], "model: give one of model.unet and model.johnson; the other is null"),
        (["loss.gram=null", "loss.l1=1"], "loss.gram: missing; it is what compares styles (or statistics, or sliced)"),
        (["train.stages.0.lr=[1e-4, 1e-3]"], "lr: must be one number, since model.johnson has no encoder"),
        (["model.johnson.widht=3"], "johnson.widht: unknown key; must be one of width, noise; did you mean 'width'?"),
        (["style.image=none.jpg"], "none.jpg: no such file"),
    ],
)  # fmt: skip
def test_mistakes_end_with_status_2_and_one_message(tmp_path, capsys, arguments, message):
    assert run_here("styletransfer.train", *arguments, f"output.path={tmp_path}") == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(message)
    assert not list(tmp_path.iterdir())


def test_a_dial_is_trained_kept_and_exported_in_full_strength(trained, tmp_path):
    photos, _, _, style = trained
    picture = tmp_path / "stripes.png"
    Image.open(style).save(picture)
    (tmp_path / "tiny.yaml").write_text("train:\n  seed: 1\n")
    paths = [f"data.path={photos}", f"style.image={picture}", f"output.path={tmp_path}", "output.name=run"]
    dial = ["style.strength=true", "train.stages.0.epochs=1", "train.stages.0.bs=2"]
    done = run("styletransfer.train", tmp_path / "tiny.yaml", *paths, *TINY, *dial)
    assert done.returncode == 0, done.stdout + done.stderr
    model = tmp_path / "run/model.safetensors"
    painted = {}
    for strength in (0, 0.5, 1, 1.5):
        out = tmp_path / f"{strength}.png"
        assert run_here("styletransfer.predict", model, photos / "0.png", "-o", out, "--strength", strength) == 0
        painted[strength] = np.asarray(Image.open(out)).astype(float)
    photo = np.asarray(Image.open(photos / "0.png"))
    assert np.array_equal(painted[0], photo)
    far = [np.abs(painted[strength] - photo).mean() for strength in (0.5, 1, 1.5)]
    assert far == sorted(far)
    assert np.abs(painted[0.5] - (photo + painted[1]) / 2).max() > 2  # no mix of pixels
    assert run_here("styletransfer.evaluate", model, "--data", photos, "-o", tmp_path / "measured") == 0
    assert run_here("styletransfer.export", model, "-o", tmp_path / "painter.onnx") == 0
    words = [tmp_path / "painter.onnx", photos / "0.png", "-o", tmp_path / "onnx.png"]
    assert run_here("styletransfer.predict", *words) == 0
    assert np.abs(np.asarray(Image.open(tmp_path / "onnx.png")) - painted[1]).max() <= 1
    other = tmp_path / "other.png"
    Image.open(style).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(other)
    add = ["style.add=true", f"style.image={other}", f"train.start_from={model}", "output.name=added"]
    done = run("styletransfer.train", tmp_path / "tiny.yaml", *paths, *TINY, *dial[1:], *add)
    assert done.returncode == 0, done.stdout + done.stderr
    words = [tmp_path / "added/model.safetensors", photos / "0.png", "-o", tmp_path / "again.png", "--strength", 0.5]
    assert run_here("styletransfer.predict", *words, "--style", "stripes") == 0
    assert np.abs(np.asarray(Image.open(tmp_path / "again.png")) - painted[0.5]).max() <= 1
