from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from torch import nn

from common.evaluation.dial import mixtures, write_curve
from common.evaluation.report import Results
from common.runtime.errors import UserError


def line(value):
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, value)
    return layer


def test_mixtures_go_from_one_model_to_the_other_and_leave_both_as_they_are():
    model, other = line(1.0), line(3.0)
    mixed = mixtures(model, other, Path("other"), 5)
    assert {part: mixture.weight.item() for part, mixture in mixed.items()} == {
        "0": 1.0, "0.25": 1.5, "0.5": 2.0, "0.75": 2.5, "1": 3.0,
    }  # fmt: skip
    assert (model.weight.item(), other.weight.item()) == (1.0, 3.0)


def test_models_of_another_shape_are_not_mixed():
    with pytest.raises(UserError, match="--blend other: not of the same shape as MODEL"):
        mixtures(line(1.0), nn.Linear(2, 1), Path("other"), 3)


@pytest.mark.parametrize(("last", "drawn"), [("LPIPS", True), ("DISTS", True), ("VGG", True), ("SSIM-Y", False)])
def test_the_curve_is_a_row_a_mixture_and_a_plot_where_a_distance_was_measured(last, drawn, tmp_path):
    values = {"input PSNR-Y": 1.0, "0 PSNR-Y": 30.0, f"0 {last}": 0.5, "1 PSNR-Y": 20.0, f"1 {last}": 0.2}
    of_all = {"0 of all": 7.0, "1 of all": 5.0}
    table = pd.DataFrame([values, {name: value + 2 for name, value in values.items()}])
    results = Results(table, {}, {}, "PSNR-Y", True, of_all)
    (tmp_path / "curve").mkdir()
    (tmp_path / "curve/blend.png").touch()  # of an earlier time
    table = write_curve(results, ["0", "1"], tmp_path / "curve")
    pd.testing.assert_frame_equal(table, pd.read_csv(tmp_path / "curve/blend.csv"), check_dtype=False)
    assert list(table.columns) == ["part", "PSNR-Y", last, "of all"]
    np.testing.assert_allclose(table.to_numpy(), [[0, 31, 1.5, 7], [1, 21, 1.2, 5]])
    assert (tmp_path / "curve/blend.png").exists() == drawn
    if drawn:
        with Image.open(tmp_path / "curve/blend.png") as plot:
            assert np.asarray(plot.convert("L")).std() > 5
