"""Every term in one line of YAML, in every task."""

import importlib
import math

import pytest
import torch
import torchvision

from common.commands.notebook import get_learner
from common.config.losses import SETTINGS, LossConfig
from common.models import dists
from common.runtime.errors import UserError
from tests.common.losses.test_loss import in_one_line

MODELS = {
    "superres": ["model={network: srcnn}"],
    "colorize": ["model={encoder: resnet18, pretrained: false}"],
    "styletransfer": ["model={johnson: {width: 4}}", "style.size=48"],
}
REFUSED = {("colorize", "input"), ("styletransfer", "input")}


@pytest.fixture(scope="module")
def squeezenet(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "squeezenet.pth"
    torch.save(torchvision.models.squeezenet1_1().state_dict(), path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_every_term_trains_every_task(name, photos, squeezenet, monkeypatch):
    channels = 3 + 8 + 16 + 32 + 64 + 64  # of the picture and a narrow VGG16's stages
    monkeypatch.setattr(dists, "read_channel_weights", lambda _: (torch.full((channels,), 0.5 / channels),) * 2)
    task = importlib.import_module(f"{name}.task").TASK
    words = [f"data.path={photos}", "data.valid=[0.png]", "train.workers=0", "data.crops_per_photo=1", *MODELS[name]]
    stage = "train.stages=[{crop: 32, bs: 4, epochs: 1, lr: 1e-3}]"
    for term in (field for field in LossConfig.model_fields if field not in SETTINGS):
        value = {"weight": 1, "weights": str(squeezenet)} if term == "lpips" else in_one_line(term)
        terms = {"vgg": "random", term: value}
        if name == "styletransfer" and term not in ("gram", "statistics", "sliced"):
            terms["gram"] = in_one_line("gram")
        if (name, term) in REFUSED:
            with pytest.raises(UserError, match=f"loss.{term}: "):
                get_learner(task, f"{name}_demo.yaml", [*words, stage, f"loss={terms}"])
            continue
        learn = get_learner(task, f"{name}_demo.yaml", [*words, stage, f"loss={terms}"])
        before = [parameter.clone() for parameter in learn.model.parameters()]
        with learn.no_bar(), learn.no_logging():
            learn.fit_stages()
        assert math.isfinite(learn.recorder.final_record[1]), term
        assert all(p.isfinite().all() for p in learn.model.parameters()), term
        moved = [not torch.equal(a, b) for a, b in zip(before, learn.model.parameters(), strict=True)]
        assert any(moved), term
