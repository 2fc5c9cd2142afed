import os
import random
import weakref
from pathlib import Path

import pandas as pd
import pytest
import torch

from common.evaluation.report import PICTURES_KEPT, evaluate_photos, name_photos, photos_of_page


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


@pytest.mark.parametrize("order", ["by chance", "rising", "falling"])
def test_few_pictures_are_held_and_the_page_shows_what_it_did(order, monkeypatch):
    n, held = 1000, []
    qualities = random.Random(0).sample(range(n), n)
    qualities = {"by chance": qualities, "rising": sorted(qualities), "falling": sorted(qualities)[::-1]}[order]
    alive = weakref.WeakSet()

    class Address(str):
        __slots__ = ("__weakref__",)

    def to_address(image, side):
        address = Address(f"data:{len(held)}")
        alive.add(address)
        held.append(len(alive))
        return address

    monkeypatch.setattr("common.evaluation.report.to_data_uri", to_address)
    picture = torch.zeros(3, 2, 2)

    def measure(path):
        return {"prediction PSNR": float(qualities[int(path.name)])}, {"prediction": picture}

    results = evaluate_photos([Path(f"/p/{i}") for i in range(n)], measure, None, metric="PSNR")
    assert max(held) <= 2 * PICTURES_KEPT + 1
    shown = [float(photo["figures"][0].split()[-1]) for photo in photos_of_page(results, 24)["photos"]]
    worst, best = list(range(8)), list(range(n - 8, n))
    assert (shown[:8], shown[-8:]) == (worst, best)
    middle = list(range(n // 2 - 4, n // 2 + 4))
    if order == "by chance":
        assert shown[8:-8] == middle  # as when all were kept
    else:
        assert all(abs(value - n / 2) < PICTURES_KEPT for value in shown[8:-8])


def test_a_metric_that_a_photo_is_too_small_for_is_not_named():
    measured = {"prediction PSNR": 30.0, "prediction NIQE": float("nan"), "target NIQE": float("nan")}
    results = evaluate_photos([Path("a.png")], lambda _: (measured, {"prediction": torch.zeros(3, 2, 2)}), None, "PSNR")
    (photo,) = photos_of_page(results, 24)["photos"]
    assert photo["figures"] == ["prediction: PSNR 30.00"]
