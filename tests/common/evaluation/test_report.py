import os
from pathlib import Path

import pandas as pd
import torch

from common.evaluation.report import evaluate_photos, name_photos


def test_photos_of_one_name_are_told_apart():
    assert name_photos([Path("/p/a/x.png"), Path("/p/b/y.png")]) == ["x.png", "y.png"]
    assert name_photos([Path("/p/a/x.png"), Path("/p/b/x.png"), Path("/p/z.png")]) == ["a/x.png", "b/x.png", "z.png"]


def test_a_name_of_an_old_disk_costs_no_results(tmp_path):
    name = os.fsdecode(b"caf\xe9.jpg")  # Latin-1
    measured = {"prediction PSNR": 30.0}, {"prediction": torch.zeros(3, 20, 20)}
    assert evaluate_photos([tmp_path / name], lambda path: measured, tmp_path, metric="PSNR").averages == {
        "prediction PSNR": 30.0
    }
    assert (tmp_path / "results.csv").read_bytes().splitlines()[1] == b"caf\xe9.jpg,30.0"
    assert pd.read_csv(tmp_path / "results.csv", encoding="latin-1").photo.tolist() == ["caf\xe9.jpg"]
