"""What is not finite ends a training or changes no weight, in every precision."""

import json
import logging

import pandas as pd
import pytest
import torch
from fastai.callback.core import Callback
from fastai.data.core import DataLoaders
from safetensors.torch import load_file, save_file
from torch import nn

from common.batches.loader import SeededDL
from common.config.losses import LossConfig
from common.config.sections import StageConfig, TrainConfig
from common.losses.loss import PerceptualLoss
from common.runs import fit, page
from common.runs.fit import fit_run
from common.runtime.errors import TrainingDiverged, TrainingStopped
from common.runtime.finite import MAX_SKIPPED, gradients_are_finite
from common.training import learner as training
from common.training.learner import ModelFiles
from common.training.precision import Float16

PAIRS = [tuple(pair) for pair in torch.rand(8, 2, 3, 32, 32, generator=torch.Generator().manual_seed(0))]
NAN, INF = float("nan"), float("inf")


class Faulty(torch.autograd.Function):
    """x -> x, with a gradient multiplied by `factor`."""

    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.factor, None


class Network(nn.Module):
    """One layer. In training, batch i has its result multiplied by forward[i] and its gradient by backward[i]."""

    def __init__(self, forward=None, backward=None):
        super().__init__()
        self.layer, self.batch = nn.Conv2d(3, 3, 1), -1
        self.factors, self.gradient_factors = forward or {}, backward or {}

    def forward(self, x):
        if not self.training:
            return self.layer(x) * self.factors.get("valid", 1)
        self.batch += 1
        result = Faulty.apply(self.layer(x), self.gradient_factors.get(self.batch, 1))
        return result * self.factors.get(self.batch, 1)


class Fp16OnCpu(Float16):
    """fastai's fp16, which needs a GPU, with the scaler of torch's CPU."""

    def before_fit(self):
        self.autocast, self.learn.scaler = torch.autocast("cpu", enabled=False), torch.amp.GradScaler("cpu")
        self.scales = []


@pytest.fixture(autouse=True)
def no_page(monkeypatch):
    for module in (fit, page):  # it needs a folder that `open_run` has made
        monkeypatch.setattr(module, "write_run_page", lambda *_, **__: None)


def make_learner(model, half=False, epochs=2, bs=2, **train):
    """Four steps an epoch."""
    dls = DataLoaders(*(SeededDL(p, bs=bs, num_workers=0, device=torch.device("cpu")) for p in (PAIRS, PAIRS[:2])))
    train = TrainConfig(stages=[StageConfig(crop=32, bs=2, epochs=epochs, lr=1e-2)], precision="fp32", **train)
    files = ModelFiles(save=lambda path, model: save_file(model.state_dict(), path), load=lambda path: model)
    loss = PerceptualLoss(LossConfig(l1=1))
    learn = training.make_learner(train, lambda stage: dls, model, loss, [], lambda x, pred, y: {"x": x}, files)
    return learn.add_cb(Fp16OnCpu()) if half else learn


def weights(learn):
    return torch.cat([parameter.detach().flatten() for parameter in learn.model.parameters()]).clone()


@pytest.mark.parametrize("half", [False, True], ids=["fp32", "fp16"])
@pytest.mark.parametrize("factor", [NAN, INF])
def test_a_gradient_that_is_not_finite_moves_no_weight_and_is_counted(half, factor, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    learn = make_learner(Network(backward={1: factor, 2: factor, 5: factor}), half, ema=0.5)
    fit_run(learn, tmp_path)
    assert weights(learn).isfinite().all()
    assert all(parameter.isfinite().all() for parameter in learn.ema.averaged.module.parameters())
    history = pd.read_csv(tmp_path / "history.csv")
    assert history["skipped"].tolist() == [2, 1]
    assert history["train_loss"].notna().all()
    said = [line for line in caplog.messages if line.startswith("epoch ")]
    assert ["2 steps skipped" in said[0], "1 steps skipped" in said[1]] == [True, True]
    assert int(learn.ema.averaged.n_averaged) == 5


class Norms(Callback):
    """Notes how long the gradient of each step is."""

    order, run_valid = 61.5, False

    def before_fit(self):
        self.noted = []

    def before_step(self):
        self.noted.append(torch.nn.utils.get_total_norm([p.grad for p in self.learn.model.parameters()]).item())


@pytest.mark.parametrize("half", [False, True], ids=["fp32", "fp16"])
def test_a_gradient_that_is_too_long_is_shortened_and_one_without_end_skipped(half, tmp_path, caplog):
    caplog.set_level(logging.INFO)

    def noted(name, **train):
        torch.manual_seed(0)
        learn = make_learner(Network(backward={1: 1e4, 2: INF}), half, epochs=1, **train).add_cb(norms := Norms())
        fit_run(learn, tmp_path / name)
        assert pd.read_csv(tmp_path / name / "history.csv")["skipped"].tolist() == [1]
        return norms.noted

    first, second, _ = noted("free")
    assert second > 1e3 * first
    shortened = noted("clipped", clip=2 * first)
    assert len(shortened) == 3
    assert shortened[:2] == pytest.approx([first, 2 * first], rel=1e-4)
    assert f"{second:.3g} at most; 1 of 3 were shortened to {2 * first:g}" in caplog.text


@pytest.mark.parametrize("half", [False, True], ids=["fp32", "fp16"])
def test_weights_that_never_move_end_the_training_with_what_to_change(half, tmp_path):
    learn = make_learner(Network(backward=dict.fromkeys(range(100), NAN)), half, epochs=9)
    before = weights(learn)
    with pytest.raises(TrainingDiverged) as ended:
        fit_run(learn, tmp_path)
    assert torch.equal(weights(learn), before)
    assert f"in {MAX_SKIPPED + 1} steps in a row, up to batch 1 of epoch 6" in str(ended.value)
    assert f"the last good weights are in {tmp_path}/checkpoints/last.safetensors" in str(ended.value)
    assert ("train.precision=bf16 or fp32" in str(ended.value)) == half
    assert pd.read_csv(tmp_path / "history.csv")["skipped"].tolist() == [4] * 5


@pytest.mark.parametrize("half", [False, True], ids=["fp32", "fp16"])
def test_steps_between_which_one_is_made_may_be_skipped_for_ever(half, tmp_path):
    odd = {i: NAN for i in range(100) if i % 2}
    learn = make_learner(Network(backward=odd), half, epochs=12)
    fit_run(learn, tmp_path)
    assert pd.read_csv(tmp_path / "history.csv")["skipped"].tolist() == [2] * 12


def test_an_infinite_loss_ends_the_training_even_if_its_gradient_is_finite(tmp_path):
    learn = make_learner(Network(forward={5: INF}))
    before = []
    learn.model.register_forward_pre_hook(lambda *_: before.append(weights(learn)))
    with pytest.raises(TrainingDiverged, match=r"the loss is inf in epoch 2, batch 2 \(l1 inf\); the last good weig"):
        fit_run(learn, tmp_path)
    assert torch.equal(weights(learn), before[-1])


def test_a_loss_of_a_part_of_a_batch_that_is_not_finite_ends_the_training(tmp_path):
    learn = make_learner(Network(forward={2: NAN}), bs=1, accumulate=2)
    with pytest.raises(TrainingDiverged, match=r"the loss is nan in epoch 1, batch 4 \(l1 nan\); no epoch is finished"):
        fit_run(learn, tmp_path)
    assert weights(learn).isfinite().all()


def test_a_loss_of_held_out_photos_that_is_not_finite_leaves_the_checkpoints(tmp_path):
    network = Network()
    learn = make_learner(network)
    learn.model.layer.register_forward_hook(
        lambda *_: network.factors.update(valid=NAN if network.batch > 3 else 1)  # from the second epoch on
    )
    with pytest.raises(TrainingDiverged, match="the loss is nan on held-out photos, epoch 2"):
        fit_run(learn, tmp_path)
    assert len(pd.read_csv(tmp_path / "history.csv")) == 1
    assert load_file(tmp_path / "checkpoints/last.safetensors")["layer.weight"].isfinite().all()


def test_a_resumed_training_goes_on_counting(tmp_path):
    faulty = dict.fromkeys(range(9), NAN)

    class Ask(training.Callback):
        def after_batch(self):
            self.learn.resume_point.request.asked = self.training and self.model.batch == 5

    part = make_learner(Network(backward=faulty), epochs=9)
    part.add_cb(Ask())
    with pytest.raises(TrainingStopped):
        fit_run(part, tmp_path)
    rest = make_learner(Network(backward=dict.fromkeys(range(100), NAN)), epochs=9)
    with pytest.raises(TrainingDiverged, match=f"in {MAX_SKIPPED + 1} steps in a row, up to batch 1 of epoch 6"):
        fit_run(rest, tmp_path)
    assert pd.read_csv(tmp_path / "history.csv")["skipped"].tolist() == [4] * 5


def test_gradients_are_finite_if_adam_can_square_them():
    layer = nn.Linear(2, 1)
    assert gradients_are_finite(layer.parameters())  # none yet
    for value, finite in ((1e18, True), (1e20, False), (NAN, False), (-INF, False)):
        layer.weight.grad, layer.bias.grad = torch.tensor([[1.0, value]]), torch.ones(1)
        assert gradients_are_finite(layer.parameters()) == finite


def test_the_page_says_how_many_steps_were_skipped(tmp_path):
    columns = ["epoch", "stage", "train_loss", "valid_loss", "psnr", "l1", "skipped", "seconds"]
    history = pd.DataFrame([[1, 1, 0.5, 0.4, 30.0, 0.4, 3, 1.5], [2, 1, 0.4, 0.3, 31.0, 0.3, 0, 1.5]], columns=columns)
    (tmp_path / "photos.json").write_text(json.dumps({"train": ["a"], "held out": ["b"]}))
    start = {"time": "now", "device": "cpu", "processes": 1, "packages": {}, "python": "3.11", "git_commit": None}
    facts = dict(page.list_facts(tmp_path, [start], history))
    assert facts["skipped steps"] == "3, as their gradient was not finite"
    assert facts["best epoch"] == "2: valid_loss 0.3000, psnr 31.00, l1 0.3000"
    assert "skipped steps" not in dict(page.list_facts(tmp_path, [start], history[1:]))
    old = history.drop(columns="skipped")  # of a run of an earlier version
    assert dict(page.list_facts(tmp_path, [start], old))["best epoch"] == facts["best epoch"]
    config = {"loss": {"l1": 1}, "train": {"stages": [{"epochs": 2, "lr": 1e-3}]}}
    assert len(page.draw_charts(history, config)) == len(page.draw_charts(old, config)) == 4
    log = (
        "2026-11-25 12:00:00,123 epoch 1/2  train_loss 0.5  3 steps skipped\n2026-11-25 12:00:01,123 skipped x.png: cut"
    )
    (tmp_path / "log.txt").write_text(log)
    assert page.read_messages(tmp_path / "log.txt") == ["skipped x.png: cut"]
