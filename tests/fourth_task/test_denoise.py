"""A fourth task takes one small package and no line of common: it trains, predicts, evaluates and compares."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.commands import read_table, run_here

HERE = Path(__file__).parent
TINY = ["data.crops_per_photo=12", "data.valid=[0.png]", "train.stages=[{crop: 32, bs: 8, epochs: 4, lr: 1e-3}]"]


@pytest.fixture
def trained(photos, tmp_path, monkeypatch):
    """(folder of photos, run folder) of a training of some seconds."""
    monkeypatch.syspath_prepend(HERE)
    words = [f"data.path={photos}", *TINY, f"output.path={tmp_path}", "output.name=run"]
    assert run_here("denoise.train", *words) == 0
    return photos, tmp_path / "run"


def test_the_package_is_small():
    lines = [line for path in (HERE / "denoise").iterdir() if path.is_file() for line in path.read_text().splitlines()]
    assert sum(bool(line.strip()) for line in lines) <= 155


@pytest.mark.slow
def test_it_trains_predicts_evaluates_and_compares(trained, tmp_path):
    photos, folder = trained
    results = pd.read_csv(folder / "results.csv")
    assert results["prediction PSNR-Y"].mean() > results["noisy PSNR-Y"].mean() + 0.5

    Image.open(photos / "0.png").crop((0, 0, 41, 33)).save(tmp_path / "odd.png")
    assert run_here("denoise.predict", folder / "model.safetensors", tmp_path / "odd.png", "-o", tmp_path / "out") == 0
    assert run_here("denoise.predict", folder / "export.pkl", tmp_path / "odd.png", "-o", tmp_path / "too",
                    "--trust-pickle") == 0  # fmt: skip
    ours, exported = (np.asarray(Image.open(tmp_path / name / "odd.png")) for name in ("out", "too"))
    assert ours.shape == (33, 41, 3)
    assert np.array_equal(ours, exported)

    assert run_here("denoise.evaluate", folder / "model.safetensors", "--data", photos, "-o", tmp_path / "all") == 0
    assert len(pd.read_csv(tmp_path / "all/results.csv")) == 6

    study = tmp_path / "study.yaml"
    study.write_text(f"base: {HERE}/denoise/denoise.yaml\nvariants: {{weight: {{}}, none: {{model.norm: none}}}}\n")
    words = [f"data.path={photos}", *TINY, "train.stages.0.epochs=1", f"output.path={tmp_path}", "output.name=study"]
    assert run_here("denoise.compare", study, *words) == 0
    head, *rows = read_table(tmp_path / "study/report.html")
    assert "PSNR-Y ↑" in head
    assert [row[0] for row in rows] == ["noisy", "weight", "none"]
