"""The three commands, run as a user runs them, on a model trained for seconds."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from common.config.yaml_file import load_config
from superres.config import Config
from superres.files import load_model, save_model
from tests.commands import learner_predicts, read_table, run, run_here

pytestmark = pytest.mark.slow

TINY = [
    "model.encoder=resnet18", "model.pretrained=false", "model.norm=spectral", "data.crops_per_photo=4",
    "data.valid=[0.png, 1.png]", "loss.vgg=random",
    "train.precision=bf16", "train.workers=1", "train.tensorboard=true", "loss.l1=1", "loss.ssim=0.1",
    "loss.features={weight: 0.1, layers: {relu1_2: 1}}", "loss.gram={weight: 1, layers: {relu1_2: 1}}",
    "train.stages=[{crop: 32, bs: 4, epochs: 2, lr: 1e-3, frozen: true}, "
    "{crop: 64, bs: 2, epochs: 1, lr: [1e-4, 1e-3]}]",
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(folder of photos, run folder, what the command printed) of one short training."""
    from common.batches.folders import sample_photos

    folder = tmp_path_factory.mktemp("superres")
    photos = folder / "photos"
    photos.mkdir()
    for i, path in enumerate(sample_photos()[:5]):
        Image.open(path).convert("RGB").crop((100, 100, 180, 172)).save(photos / f"{i}.png")
    config = folder / "tiny.yaml"
    config.write_text("train:\n  seed: 1\n")
    done = run(
        "superres.train",
        config,
        f"data.path={photos}",
        f"data.cache={folder}/kept",
        *TINY,
        f"output.path={folder}",
        "output.name=run",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return photos, folder / "run", done.stdout + done.stderr


def test_training_leaves_everything_in_its_run_folder(trained):
    _, folder, printed = trained
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    logs = {name for name in names if name.startswith("tensorboard/")}
    assert {Path(name).parent.name for name in logs} == {"stage_1", "stage_2"}
    assert names - logs == {
        "config.yaml", "card.json", "environment.json", "photos.json", "log.txt", "history.csv", "results.csv",
        "comparison.png", "report.html",
        "model.safetensors", "export.pkl", "checkpoints/best.safetensors", "checkpoints/last.safetensors",
        "checkpoints/resume.pt", ".lock",
        "pictures/epoch_001.png", "pictures/epoch_002.png", "pictures/epoch_003.png",
    }  # fmt: skip
    resolved = yaml.safe_load((folder / "config.yaml").read_text())["train"]
    assert (resolved["seed"], resolved["precision"], resolved["stages"][0]["frozen"]) == (1, "bf16", False)
    (start,) = json.loads((folder / "environment.json").read_text())
    assert "torch" in start["packages"]
    assert start["task"] == "superres"
    for warning in ("loss.vgg = random", "pretrained = false"):
        assert warning in printed
        assert warning in (folder / "log.txt").read_text()
    for shown in ("PSNR-Y SSIM-Y", "bicubic", "comparison.png", "model.safetensors"):
        assert shown in printed
    assert "\r" not in printed  # no progress bars outside a terminal


def test_history_has_every_metric_and_loss_term_of_every_epoch(trained):
    _, folder, _ = trained
    history = pd.read_csv(folder / "history.csv")
    assert list(history.columns) == [
        "epoch", "stage", "train_loss", "valid_loss", "psnr_y", "ssim_y", "l1", "ssim", "features", "gram", "skipped",
        "seconds",
    ]  # fmt: skip
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history["stage"].tolist() == [1, 1, 2]
    terms = history[["l1", "ssim", "features", "gram"]].sum(axis=1)
    assert np.allclose(terms, history["valid_loss"], rtol=1e-4)


def test_the_report_shows_the_run(trained):
    _, folder, _ = trained
    page = (folder / "report.html").read_text()
    results = pd.read_csv(folder / "results.csv")
    head, _, prediction = read_table(folder / "report.html")
    assert head == ["", "PSNR-Y", "SSIM-Y", "grid-2"]
    assert prediction == ["prediction", *(f"{results[f'prediction {m}'].mean():#.4g}" for m in head[1:])]
    assert "superres · finished · epoch 3 of 3" in page
    assert page.count('class="compare"') == len(results)
    assert page.count("data-epoch=") == 3
    assert page.count("<svg") == 5  # loss, terms, PSNR, SSIM, learning rate
    assert "What the loss sees" in page
    assert "<code>loss.features.layers.relu1_2</code>" in page
    assert "WARNING: loss.vgg = random" in page
    assert f"superres.evaluate {folder} --data" in page


def test_neither_export_holds_the_vgg(trained):
    _, folder, _ = trained
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        assert not any("vgg" in name for name in file.keys())  # noqa: SIM118
        metadata = file.metadata()
    about = json.loads(metadata["perceptual-enhance"])
    assert about["config"]["data"]["scale"] == 2
    assert str(folder.parent) not in str(about)
    with zipfile.ZipFile(folder / "export.pkl") as archive:
        pickled = b"".join(archive.read(name) for name in archive.namelist() if name.endswith(".pkl"))
    assert b"SuperResolver" in pickled
    assert b"VGG16Features" not in pickled
    assert str(folder.parent).encode() not in pickled
    size = (folder / "export.pkl").stat().st_size - (folder / "model.safetensors").stat().st_size
    assert size < 150_000


def test_the_exported_learner_works_in_a_fresh_process_elsewhere(trained, tmp_path):
    photos, folder, _ = trained
    assert run_here("superres.predict", folder / "model.safetensors", photos / "0.png", "-o", tmp_path) == 0
    ours = np.asarray(Image.open(tmp_path / "0.png")).transpose(2, 0, 1).astype(float)
    theirs = learner_predicts(folder / "export.pkl", photos / "0.png", tmp_path)
    assert ours.shape == theirs.shape == (3, 144, 160)
    assert abs(ours - theirs).max() <= 1  # both rounded; a batch of its own may round the other way
    assert (ours != theirs).mean() < 1e-3


def test_predict_enlarges_files_and_folders_and_reports_failures(trained, tmp_path, capsys):
    photos, folder, _ = trained
    inputs = tmp_path / "in"
    inputs.mkdir()
    Image.open(photos / "0.png").crop((0, 0, 31, 17)).save(inputs / "odd.png")
    Image.open(photos / "0.png").convert("L").save(inputs / "grey.jpg")
    (inputs / "broken.png").write_bytes((photos / "0.png").read_bytes()[:300])
    arguments = [folder / "model.safetensors", inputs, "-o", tmp_path / "out", "--tile", 96]
    done = run("superres.predict", *arguments)
    assert done.returncode == 1
    assert "broken.png: broken" in done.stdout
    assert "1 of 3 photos failed" in done.stdout
    with Image.open(tmp_path / "out" / "odd.png") as odd, Image.open(tmp_path / "out" / "grey.jpg") as grey:
        assert odd.size == (62, 34)
        assert (grey.size, grey.mode) == ((160, 144), "L")
    assert run_here("superres.predict", *arguments) == 2
    assert "exists; add --overwrite" in capsys.readouterr().err


def test_evaluate_compares_with_bicubic(trained, tmp_path, capsys):
    photos, folder, _ = trained
    done = run("superres.evaluate", folder / "model.safetensors", "--data", photos, "-o", tmp_path, "--vgg=random")
    assert done.returncode == 0, done.stderr
    results = pd.read_csv(tmp_path / "results.csv")
    assert len(results) == 5
    in_training = pd.read_csv(folder / "results.csv")
    assert (in_training["prediction PSNR-Y"] != in_training["bicubic PSNR-Y"]).all()
    pd.testing.assert_frame_equal(results[:2][in_training.columns], in_training, rtol=1e-4)
    printed = done.stdout[done.stdout.index("average of 5") :]
    head, bicubic, prediction, *_ = (line.split() for line in printed.splitlines())
    assert head == ["average", "of", "5", "PSNR-Y", "SSIM-Y", "grid-2", "VGG-random"]
    for line in (bicubic, prediction):
        columns = {metric: results[f"{line[0]} {metric}"] for metric in head[3:]}
        means = [column.median() if m == "grid-2" else column.mean() for m, column in columns.items()]
        assert line[1:] == [f"{means[0]:.2f}", f"{means[1]:.4f}", *(f"{mean:#.4g}" for mean in means[2:])]
    assert "LPIPS is left out" in done.stdout  # by name
    assert (tmp_path / "comparison.png").exists()
    assert run_here("superres.evaluate", folder / "model.safetensors", "--data", photos, "-o", tmp_path) == 2
    assert "exists; add --overwrite" in capsys.readouterr().err


def test_evaluate_makes_the_input_as_training_did(trained, tmp_path, capsys):
    photos, folder, _ = trained
    config = load_config(Config, folder / "config.yaml", ["data.degrade=[{noise: {sigma: 20}}]"])
    save_model(tmp_path / "noisy.safetensors", load_model(folder / "model.safetensors"), config)
    figures = {}
    for path in (folder / "model.safetensors", tmp_path / "noisy.safetensors"):
        done = run("superres.evaluate", path, "--data", photos, "-o", tmp_path / path.stem)
        assert ("the input is made as in training, with its data.degrade" in done.stdout) == ("noisy" in path.stem)
        figures[path.stem] = pd.read_csv(tmp_path / path.stem / "results.csv")["bicubic PSNR-Y"].mean()
    assert figures["noisy"] < figures["model"] - 1


def test_a_mistake_ends_with_status_2_and_one_message():
    done = run("superres.train", "nothing.yaml")
    assert done.returncode == 2
    assert done.stderr == "error: nothing.yaml: cannot be read as a config (No such file or directory)\n"


def test_training_that_diverges_stops_and_keeps_the_last_good_weights(trained, tmp_path):
    photos, _, _ = trained
    done = run(
        "superres.train", Path(__file__).parent.parent.parent / "configs/superres_demo.yaml", f"data.path={photos}",
        "data.valid=[0.png, 1.png]", "data.crops_per_photo=4",
        "train.stages=[{crop: 32, bs: 4, epochs: 1, lr: 1e-4}, {crop: 32, bs: 4, epochs: 5, lr: 1e+30}]",
        f"output.path={tmp_path}", "output.name=run",
    )  # fmt: skip
    assert done.returncode == 1
    assert "last good weights are in" in done.stdout
    weights = load_file(tmp_path / "run/checkpoints/last.safetensors")
    assert all(torch.isfinite(tensor).all() for tensor in weights.values())
