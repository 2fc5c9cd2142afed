import pytest

from common.config.losses import LossConfig
from common.studies.fairness import describe_trained_on, find_trained_on
from common.studies.report import study_table

METRICS = ["PSNR-Y", "SSIM-Y", "VGG", "DISTS-like", "Fréchet VGG16", "LPIPS", "LPIPS-squeeze", "NIQE"]
LAYERS = {"relu2_2": 1}


def trained_on(vgg="/weights/vgg.safetensors", **loss):
    return list(find_trained_on(METRICS, {"a": LossConfig(**loss)}, vgg))


def test_a_loss_of_pixels_is_trained_on_no_network():
    assert trained_on(l1=1, mse=1, ssim=1, psnr=1) == []


@pytest.mark.parametrize("term", ["features", "gram", "statistics", "sliced", "contextual"])
def test_what_looks_through_the_vgg16_that_measures_was_trained_on_all_that_it_measures(term, tmp_path, monkeypatch):
    through = ["VGG", "DISTS-like", "Fréchet VGG16"]
    loss = {term: {"weight": 1, "layers": LAYERS}}
    assert trained_on(vgg="torchvision", **loss) == through
    assert trained_on(vgg="random", **loss) == []
    monkeypatch.chdir(tmp_path)
    assert trained_on(str(tmp_path / "x.pth"), **{term: {"weight": 1, "layers": LAYERS, "weights": "x.pth"}}) == through
    assert trained_on(vgg="torchvision", **{term: {"weight": 1, "layers": LAYERS, "net": "vgg19"}}) == []


def test_lpips_and_dists_were_trained_on_through_any_weights():
    assert trained_on(lpips=1) == ["LPIPS", "LPIPS-squeeze"]
    assert trained_on(l1=1, lpips={"weight": 1, "weights": "alex", "from": 0.5}) == ["LPIPS", "LPIPS-squeeze"]
    assert trained_on(dists=1) == ["DISTS-like"]
    assert trained_on(vgg="torchvision", dists=1) == ["VGG", "DISTS-like", "Fréchet VGG16"]
    assert trained_on(features={"weight": 1, "layers": {"fire2": 1}, "net": "squeezenet"}) == ["LPIPS-squeeze"]
    assert trained_on(gram={"weight": 1, "layers": {"features.0": 1}, "net": "alexnet"}) == ["LPIPS"]


def test_a_metric_that_a_variant_was_trained_on_has_no_best_and_says_whose_it_is():
    losses = {"a": LossConfig(l1=1), "b": LossConfig(l1=1, lpips=1)}
    averages = {"bicubic LPIPS": 0.5, "a LPIPS": 0.3, "b LPIPS": 0.1, "a NIQE": 4.0, "b NIQE": 5.0}
    found = find_trained_on(["LPIPS", "NIQE"], losses, None)
    runs = {"a": ["a"], "b": ["b"]}
    rows = study_table(averages, {"LPIPS": False, "NIQE": False}, runs, {}, {}, found)["rows"]
    assert [[(cell["text"], cell["best"]) for cell in row[1:3]] for row in rows] == [
        [("0.5000", False), ("", False)],
        [("0.3000", False), ("4.000", True)],
        [("0.1000, trained on it", False), ("5.000", False)],
    ]
    assert rows[2][1]["value"] == 0.1  # by which the page sorts
    (line,) = describe_trained_on(found)
    assert line.startswith("LPIPS: b was trained on it or through its network")
