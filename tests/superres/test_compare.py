"""A study of trainings that last seconds: its report, and that stopping changes nothing."""

import html
import shutil

import pandas as pd
import pytest
import yaml

from tests.commands import read_table, run, run_here
from tests.superres.test_stop import WEIGHTS, history, write_config

pytestmark = pytest.mark.slow

STUDY = """
base: tiny.yaml
changes: {train.stages: [{crop: 32, bs: 4, epochs: 1, lr: 1e-3}], train.ema: 0.9}
variants:
  first: {}
  srcnn: {model: {network: srcnn}}
  wild: {train.stages.0.lr: 1e+30}
"""


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """(the study's file, its folder, what the command printed)."""
    folder = tmp_path_factory.mktemp("compare")
    write_config(folder)
    (folder / "study.yaml").write_text(STUDY)
    done = run("superres.compare", folder / "study.yaml", "data.crops_per_photo=3", "output.name=whole")
    assert done.returncode == 1, done.stdout + done.stderr  # one of the variants diverged
    return folder / "study.yaml", folder / "whole", done.stdout


def test_the_report_has_a_line_a_variant_with_the_averages_of_the_photos(compared):
    study, folder, printed = compared
    head, *rows = read_table(folder / "report.html")
    assert head == ["", "PSNR-Y ↑", "SSIM-Y ↑", "grid-2 ↓", "VGG-random ↓", "steps", "minutes"]
    table = pd.read_csv(folder / "results.csv")
    results = table.mean(numeric_only=True)
    grids = [column for column in results.index if column.endswith("grid-2")]
    results[grids] = table[grids].median()
    for name, *cells, steps, _ in rows[:3]:
        averages = [f"{results[f'{name} {metric}']:#.4g}" for metric in ("PSNR-Y", "SSIM-Y", "grid-2", "VGG-random")]
        assert [cell.strip("*") for cell in cells] == averages
        assert steps == ("" if name == "bicubic" else "3")
    assert [row[0] for row in rows] == ["bicubic", "first", "srcnn", "wild"]
    alone = pd.read_csv(folder / "srcnn/results.csv").mean(numeric_only=True)
    assert results["srcnn PSNR-Y"] == alone["prediction PSNR-Y"]
    assert rows[3][1:] == [*["diverged"] * 4, "", ""]
    bold = {row[0] for row in rows if row[1].startswith("**")}
    assert bold == {max(("first", "srcnn"), key=lambda name: results[f"{name} PSNR-Y"])}
    text = html.unescape((folder / "report.html").read_text())
    assert "with the same number of steps" in text
    assert f"superres.compare {study} data.crops_per_photo=3" in text
    assert "<code>model.network: srcnn</code>" in text
    assert "LPIPS is left out" in text
    assert "variant wild: the loss is" in printed
    assert (folder / "comparison.png").is_file()
    assert not list(folder.rglob("resume.pt"))  # 370 MB each, of trainings that are over


def test_a_variant_is_the_run_that_train_makes_of_its_config(compared, tmp_path):
    _, folder, _ = compared
    done = run("superres.train", folder / "srcnn/config.yaml", f"output.path={tmp_path}", "output.name=alone")
    assert done.returncode == 0, done.stderr
    for name in WEIGHTS:
        assert (tmp_path / "alone" / name).read_bytes() == (folder / "srcnn" / name).read_bytes(), name
    pd.testing.assert_frame_equal(history(tmp_path / "alone"), history(folder / "srcnn"), check_exact=True)
    logs = [(folder / name / "log.txt").read_text() for name in ("first", "srcnn")]
    assert [f"run folder: {folder}/srcnn" in log for log in logs] == [False, True]


def test_a_study_that_was_stopped_goes_on_and_ends_the_same(compared, tmp_path):
    """As it is after a kill while the second variant's folder was made, with a photo that came since."""
    _, whole, _ = compared
    parts = tmp_path / "parts"
    shutil.copytree(whole, parts, ignore=shutil.ignore_patterns("*.pkl", "resume.pt", "report.html", "wild", "srcnn"))
    (parts / "srcnn").mkdir()
    (parts / "srcnn/environment.json").write_text("[]")
    (whole.parent / "photos/new.png").write_bytes((whole.parent / "photos/0.png").read_bytes())
    done = run("superres.compare", "--resume", parts)
    (whole.parent / "photos/new.png").unlink()
    assert done.returncode == 1, done.stdout + done.stderr
    assert "variant 1 of 3: first is finished" in done.stdout
    assert (parts / "results.csv").read_bytes() == (whole / "results.csv").read_bytes()
    assert (parts / "srcnn/model.safetensors").read_bytes() == (whole / "srcnn/model.safetensors").read_bytes()
    # All but the minutes.
    assert [row[:-1] for row in read_table(parts / "report.html")] == [
        row[:-1] for row in read_table(whole / "report.html")
    ]


def test_every_variant_has_its_changes_and_the_words_of_the_command_line(compared):
    _, folder, _ = compared
    first, srcnn = (yaml.safe_load((folder / name / "config.yaml").read_text()) for name in ("first", "srcnn"))
    assert first["model"]["norm"] == "spectral"
    assert srcnn["model"]["network"] == "srcnn"
    for config in (first, srcnn):
        assert config["data"]["crops_per_photo"] == 3
        assert config["train"]["ema"] == 0.9
        assert config["train"]["stages"] == [
            {"crop": 32, "bs": 4, "epochs": 1, "steps": None, "lr": 1e-3, "frozen": False}
        ]


def test_a_model_to_start_from_that_is_missing_is_told_before_the_first_training(compared, tmp_path, capsys):
    study = tmp_path / "missing.yaml"
    start = "{train.start_from: gone.safetensors, model: {network: srcnn}}"
    study.write_text(STUDY.replace("wild: {train.stages.0.lr: 1e+30}", f"wild: {start}"))
    (tmp_path / "tiny.yaml").write_text((compared[0].parent / "tiny.yaml").read_text())
    assert run_here("superres.compare", study, f"output.path={tmp_path / 'runs'}") == 2
    assert "gone.safetensors: no such model file" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
