import pandas as pd
import pytest
import torch

from common.batches.folders import sample_photos
from common.config.yaml_file import load_config
from superres.config import Config
from superres.network import get_model
from superres.robustness import ROWS, measure_damages


@pytest.fixture
def untrained():
    """A model that is bicubic."""
    config = load_config(Config, None, ["loss.l1=1", "train.stages=[{crop: 32, bs: 1, epochs: 1, lr: 1}]"])
    model = config.model.model_copy(update={"network": "srcnn"})
    return get_model(model, scale=2).eval()


def far(results, target):
    """In place of a network's distance."""
    return {f"{name} LPIPS": (result - target).abs().mean().item() for name, result in results.items()}


@pytest.mark.slow
def test_every_damage_costs_and_a_model_that_is_bicubic_gains_nothing(untrained, tmp_path):
    paths = [path for path in sample_photos() if path.name in ("chelsea.png", "coffee.png")]
    table = measure_damages(paths, 2, untrained, tmp_path, tile=1024).set_index("damage")
    assert list(table.index) == list(ROWS)
    assert table["gain"].abs().max() == pytest.approx(0, abs=1e-6)
    bicubic = table["bicubic"]
    assert bicubic["clean"] == pytest.approx(32.93, abs=0.01)  # the average of the two in `evaluate`
    for kind in (
        ["JPEG 95", "JPEG 85", "JPEG 75", "JPEG 50"],
        ["noise 3", "noise 8", "noise 15"],
        ["blur 0.8", "blur 1.6"],
    ):
        assert bicubic["clean"] > bicubic[kind[0]]
        assert bicubic[kind].is_monotonic_decreasing
    written = pd.read_csv(tmp_path / "damages.csv", index_col="damage")
    pd.testing.assert_frame_equal(written, table)
    torch.manual_seed(3)  # whatever was drawn before
    again = measure_damages(paths, 2, untrained, None, tile=1024, perceptual=far).set_index("damage")
    pd.testing.assert_frame_equal(again[table.columns], table)
    assert list(again.columns[-2:]) == ["bicubic LPIPS", "model LPIPS"]
    assert again["bicubic LPIPS"][["clean", "noise 3", "noise 8", "noise 15"]].is_monotonic_increasing
