"""A U-Net that learns from a few pairs, in their order."""

import pytest
import torch
from fastai.callback.core import Callback
from fastai.data.core import DataLoaders
from torch import nn

from common.batches.loader import SeededDL
from common.config.losses import LossConfig
from common.config.sections import StageConfig, TrainConfig
from common.losses.loss import PerceptualLoss
from common.models.unet import Unet
from common.runs import fit as fitting
from common.runs import page
from common.runs.fit import fit_run
from common.runs.resume import ResumePoint
from common.training import learner as training
from common.training.learner import ModelFiles

CPU = torch.device("cpu")
PAIRS = [tuple(pair) for pair in torch.rand(8, 2, 3, 32, 32, generator=torch.Generator().manual_seed(0))]


class Rates(Callback):
    """Remembers the learning rates of [encoder, rest] at every step."""

    def before_fit(self):
        self.seen = []

    def after_batch(self):
        if self.training:
            self.seen.append([group["lr"] for group in self.opt.hypers])


def stage(**options):
    return StageConfig(**{"crop": 32, "bs": 2, "epochs": 1, "lr": 1e-3, **options})


def make_learner(model, train, bs=2, **loss):
    """A learner whose batches are PAIRS in their order, with the rates of its steps in `rates.seen`."""
    dls = DataLoaders(*(SeededDL(pairs, bs=bs, num_workers=0, device=CPU) for pairs in (PAIRS, PAIRS[:2])))
    loss = PerceptualLoss(LossConfig(l1=1, **loss))
    files = ModelFiles(save=lambda path, model: path.touch(), load=lambda path: model)
    learn = training.make_learner(train, lambda stage: dls, model, loss, [], lambda x, pred, y: {"x": x}, files)
    learn.add_cb(Rates())
    return learn


def fit(learn, folder, train=None):
    learn.train_config = train or learn.train_config
    fit_run(learn, folder)


SAVE = ResumePoint.save


@pytest.fixture
def learn(tmp_path, monkeypatch):
    monkeypatch.setattr(ResumePoint, "save", lambda *_: None)  # 400 MB an epoch
    for module in (fitting, page):  # the page needs a folder that `open_run` has made
        monkeypatch.setattr(module, "write_run_page", lambda *_, **__: None)
    unet = Unet("resnet18", pretrained=False, norm="weight")
    nn.init.normal_(unet.last.weight, std=0.1)
    return make_learner(unet, TrainConfig(stages=[stage()], precision="fp32"))


def snapshot(parameters):
    return [p.detach().clone() for p in parameters]


def changed(before, parameters):
    return [not torch.equal(b, p) for b, p in zip(before, parameters, strict=True)]
