import pytest
import torch
import torch.nn.functional as F
from torchvision.models.vgg import cfgs, make_layers

from common.evaluation.perceptual import get_perceptual_metrics
from common.models.vgg16 import init_random_filters
from tests.common.models.test_dists import torchmetrics_dists

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("wide")]

CPU = torch.device("cpu")


@pytest.fixture
def layers():
    """Of a VGG16."""
    layers = make_layers(cfgs["D"])
    init_random_filters(layers)
    return layers


@pytest.fixture
def file(layers, tmp_path):
    path = tmp_path / "vgg.pth"
    torch.save({f"features.{name}": value for name, value in layers.state_dict().items()}, path)
    return path


def test_dists_is_that_of_torchmetrics_and_says_whose_vgg16_it_looks_through(layers, file, noise, monkeypatch):
    target = F.interpolate(noise[:1], scale_factor=2)  # smaller ones are padded
    pred = F.avg_pool2d(target, 3, 1, 1)
    theirs = torchmetrics_dists(layers, monkeypatch)(pred, target).item()
    perceptual, notes = get_perceptual_metrics(str(file), None, CPU)
    ours = perceptual({"a": pred, "b": target}, target)
    assert ours["a DISTS-like"] == pytest.approx(theirs, abs=1e-5)
    assert theirs > 0.01
    assert ours["b DISTS-like"] == pytest.approx(0, abs=1e-5)
    assert notes[1] == "DISTS-like is DISTS with vgg.pth, not torchvision's, whose channels its authors weigh."

    monkeypatch.setenv("TORCH_HOME", str(file.parent))
    (file.parent / "hub/checkpoints").mkdir(parents=True)
    file.rename(file.parent / "hub/checkpoints/vgg16-397923af.pth")  # as torchvision downloads it
    perceptual, notes = get_perceptual_metrics(None, None, CPU)
    assert perceptual({"a": pred}, target)["a DISTS"] == ours["a DISTS-like"]
    assert notes[1] == "DISTS is that of its authors."


def test_dists_is_left_out_by_name(file, monkeypatch):
    _, notes = get_perceptual_metrics("random", None, CPU)
    assert notes[1] == "DISTS is left out: it weighs the channels of a VGG16 that has learned."
    monkeypatch.setattr("common.evaluation.perceptual.find_spec", lambda name: None)
    perceptual, notes = get_perceptual_metrics(str(file), None, CPU)
    assert notes[1] == "DISTS is left out: the package torchmetrics is not on this machine."
    assert list(perceptual({"a": torch.rand(1, 3, 64, 64)}, torch.rand(1, 3, 64, 64))) == ["a VGG"]
