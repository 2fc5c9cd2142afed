"""Colour classes of a training that goes on from a model, or from a stopped run."""

import torch

from colorize import training
from colorize.bins import measure_bins
from colorize.config import Config
from colorize.data import get_photos
from colorize.files import load_model
from colorize.task import TASK
from common.commands.configs import CONFIGS
from common.commands.notebook import get_learner
from common.config.yaml_file import load_config
from tests.colorize.conftest import CENTRES, LIGHT


def test_training_on_keeps_the_classes_and_weighs_them_anew(model_file, photos):
    words = [f"data.path={photos}", "data.valid=[0.png]", "loss={color_classes: {weight: 1, rebalance: 0.2}}"]
    network = ["model.encoder=resnet18", "model.attention=true", "model.blur=true"]
    learn = get_learner(TASK, "colorize_demo.yaml", [*words, *LIGHT, *network, f"train.start_from={model_file}"])
    first, model, loss = load_model(model_file), learn.model, learn.loss_func
    assert torch.equal(model.centres, first.centres)
    assert torch.equal(model.unet.last.weight, first.unet.last.weight)
    weights = measure_bins(sorted(photos.iterdir())[1:], CENTRES).weights(0.2)
    torch.testing.assert_close(model.weights, weights)
    assert torch.equal(loss.colors[1], model.weights)


def test_a_run_that_goes_on_keeps_its_classes_whatever_became_of_its_photos(photos, tmp_path, monkeypatch):
    point = {"model": {"centres": CENTRES, "weights": torch.tensor([0.5, 2.0, 4.0])}}
    monkeypatch.setattr(training, "read_resume_point", lambda path: point)
    words = [f"data.path={photos}", "data.valid=[0.png]", "loss={color_classes: 1}"]
    config = load_config(Config, CONFIGS / "colorize_demo.yaml", [*words, *LIGHT])
    model, loss = training.build(config, tmp_path, get_photos(config))
    assert torch.equal(model.centres, CENTRES)
    assert model.weights.tolist() == loss.colors[1].tolist() == [0.5, 2, 4]
