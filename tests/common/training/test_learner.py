import copy
import sys
from functools import partial

import pandas as pd
import pytest
import torch
from fastai.callback.core import Callback
from fastai.data.core import DataLoaders
from fastai.optimizer import OptimWrapper
from fastcore.foundation import L
from torch import nn

from common.batches.block import choose_workers
from common.batches.loader import SeededDL
from common.config.sections import LossConfig, StageConfig, TrainConfig
from common.losses.loss import PerceptualLoss
from common.models.unet import Unet, parameter_groups
from common.runs import fit as fitting
from common.runs import page
from common.runs.fit import fit_run
from common.runs.resume import ResumePoint
from common.runtime import processes
from common.runtime.errors import TrainingDiverged, TrainingStopped, UserError
from common.training import learner as training
from common.training.advice import out_of_memory_advice
from common.training.learner import ModelFiles
from common.training.precision import Float16, check_precision

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
    files = ModelFiles(save=lambda path, model: None, load=lambda path: model)
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


def test_a_run_needs_none_of_the_optional_packages(learn, tmp_path, monkeypatch):
    for package in ("tensorboard", "accelerate", "torchmetrics"):
        monkeypatch.setitem(sys.modules, package, None)  # importing it fails
    monkeypatch.delitem(sys.modules, "fastai.callback.tensorboard", raising=False)
    fit(learn, tmp_path, TrainConfig(stages=[stage()], precision="fp32"))
    assert len(pd.read_csv(tmp_path / "history.csv")) == 1


def snapshot(parameters):
    return [p.detach().clone() for p in parameters]


def changed(before, parameters):
    return [not torch.equal(b, p) for b, p in zip(before, parameters, strict=True)]


def test_a_frozen_stage_leaves_the_encoder_as_it_was(learn, tmp_path):
    encoder, rest = parameter_groups(learn.model)
    before = snapshot(encoder), snapshot(rest)
    fit(learn, tmp_path, TrainConfig(stages=[stage(frozen=True)]))
    assert not any(changed(before[0], encoder))
    assert sum(changed(before[1], rest)) > 0.8 * len(rest)
    fit(learn, tmp_path, TrainConfig(stages=[stage(frozen=False)]))
    assert sum(changed(before[0], encoder)) > 0.8 * len(encoder)


def test_a_pair_of_learning_rates_is_for_encoder_and_rest(learn, tmp_path):
    fit(learn, tmp_path, TrainConfig(stages=[stage(lr=[1e-5, 1e-3], epochs=4)], wd=0.0))
    encoder, rest = zip(*learn.rates.seen, strict=True)
    assert max(encoder) == pytest.approx(1e-5, rel=0.02)
    assert max(rest) == pytest.approx(1e-3, rel=0.02)


@pytest.mark.slow
def test_a_batch_in_parts_makes_the_same_steps(learn, tmp_path, monkeypatch):
    """With weight norm; spectral norm estimates its norm once a pass, batch norm looks at the part."""
    # Adam would make large differences of the rounding in tiny gradients.
    monkeypatch.setattr(training, "adamw", partial(OptimWrapper, opt=torch.optim.SGD, momentum=0.9))
    ends, parts = [], 4
    for n in (1, parts):
        stages = [stage(bs=4, epochs=2, lr=1e-2)]
        train = TrainConfig(stages=stages, accumulate=n, precision="fp32")
        folder = tmp_path / f"in_{n}"
        model = copy.deepcopy(learn.model)
        again = make_learner(model, train, bs=4 // n, psnr=0.01)
        fit(again, folder)
        rates = [rate for rate, _ in again.rates.seen]
        ends.append((rates[::n], pd.read_csv(folder / "history.csv").drop(columns="seconds"), list(model.parameters())))
        assert len(set(rates)) == 4  # as many steps
    (rates, history, weights), (rates_in_parts, history_in_parts, weights_in_parts) = ends
    assert rates == rates_in_parts
    pd.testing.assert_frame_equal(history, history_in_parts, rtol=1e-4, atol=1e-4)  # psnr is near 0
    moved = max((a - b).abs().max() for a, b in zip(weights, learn.model.parameters(), strict=True))
    apart = max((a - b).abs().max() for a, b in zip(weights, weights_in_parts, strict=True))
    assert moved > 1e-3
    assert apart < 1e-3 * moved  # oneDNN may take another algorithm for another batch size


@pytest.mark.slow
@pytest.mark.parametrize("parts", [1, 2])
def test_a_frozen_stage_goes_on_in_its_middle(learn, tmp_path, monkeypatch, parts):
    train = TrainConfig(stages=[stage(frozen=True, epochs=2, lr=[1e-4, 1e-3]), stage()], precision="fp32")
    whole = make_learner(copy.deepcopy(learn.model), train)
    fit(whole, tmp_path / "whole")

    class Ask(Callback):
        def after_batch(self):
            if self.training and len(self.rates.seen) == 6:
                self.resume_point.request.asked = True

    part = make_learner(copy.deepcopy(learn.model), train)
    part.add_cb(Ask())
    monkeypatch.setattr(ResumePoint, "save", SAVE)
    with pytest.raises(TrainingStopped, match="stopped in epoch 2, after 2 of 4 batches") as stopped:
        fit(part, tmp_path / "part")
    assert stopped.value.status == 130
    monkeypatch.setattr(ResumePoint, "save", lambda *_: None)
    in_parts = train.model_copy(update={"accumulate": parts})
    rest = make_learner(copy.deepcopy(learn.model), in_parts, bs=2 // parts)
    fit(rest, tmp_path / "part")
    histories = [pd.read_csv(tmp_path / name / "history.csv").drop(columns="seconds") for name in ("whole", "part")]
    assert histories[0]["stage"].tolist() == [1, 1, 2]
    if parts == 1:
        pd.testing.assert_frame_equal(*histories, check_exact=True)
        for name, value in whole.model.state_dict().items():
            assert torch.equal(value, rest.model.state_dict()[name]), name
    else:  # sums are taken in another order, and Adam makes the most of it
        pd.testing.assert_frame_equal(*histories, rtol=0.02)
        assert len(rest.rates.seen) == 4 * 2  # those of the last fit


def test_what_does_not_fit_into_memory_stops_with_advice(learn, tmp_path):
    class Full(nn.Module):
        def forward(self, x):
            raise torch.OutOfMemoryError("CUDA out of memory.")

    learn.model.middle.register_forward_pre_hook(lambda module, inputs: Full()(inputs))
    with pytest.raises(TrainingStopped, match=r"train.stages.0 does not fit into memory") as stopped:
        fit(learn, tmp_path)
    assert stopped.value.status == 1


def test_out_of_memory_names_what_needs_half():
    train = TrainConfig(stages=[stage(crop=64, bs=8)], accumulate=2)
    said = out_of_memory_advice(0, train.stages[0], train, torch.OutOfMemoryError("CUDA out of memory.\nmore"))
    assert said.startswith("train.stages.0 does not fit into memory (CUDA out of memory. more)")
    assert "train.accumulate=4 (the same steps in smaller parts), train.stages.0.bs=4, train.stages.0.crop=32." in said
    smallest = TrainConfig(stages=[stage(crop=32, bs=1)])
    assert "a smaller model" in out_of_memory_advice(0, smallest.stages[0], smallest, RuntimeError("x"))


def test_what_is_left_open_is_decided_for_the_device():
    train, gpu = TrainConfig(stages=[stage()]), torch.device("cuda", 0)
    assert choose_workers(train, CPU) == 0
    assert choose_workers(train, gpu) == min(8, processes.usable_cores())
    assert choose_workers(TrainConfig(stages=[stage()], workers=3), gpu) == 3


@pytest.mark.parametrize("asked", ["auto", "fp32", "bf16"])
def test_a_learner_has_the_precision_of_its_config(learn, asked):
    again = make_learner(learn.model, TrainConfig(stages=[stage()], precision=asked))
    assert again.precision == {"auto": "fp32"}.get(asked, asked)
    assert hasattr(again, "b_float16") == (asked == "bf16")


def test_fp16_without_a_gpu_is_refused():
    with pytest.raises(UserError, match="needs a CUDA GPU, this run is on cpu"):
        check_precision(TrainConfig(stages=[stage()], precision="fp16"), CPU)


def test_a_stop_that_is_asked_for_after_the_last_epoch_is_not_forgotten(learn, tmp_path):
    class Late(Callback):
        def after_fit(self):
            self.learn.resume_point.request.asked = True

    learn.add_cb(Late())
    with pytest.raises(TrainingStopped, match="stopped after the last epoch"):
        fit(learn, tmp_path)


def test_an_error_in_the_forward_pass_leaves_no_autocast_on(learn, tmp_path):
    again = make_learner(learn.model, TrainConfig(stages=[stage()], precision="bf16"))

    def fail(*_):
        assert torch.is_autocast_enabled("cpu")
        raise ZeroDivisionError

    again.model.forward = fail
    with pytest.raises(ZeroDivisionError):
        again.fit(1)
    assert not torch.is_autocast_enabled("cpu")


class Fp16OnCpu(Float16):
    """fastai's fp16, which needs a GPU, with the scaler of torch's CPU; the given batches have an infinite loss."""

    def __init__(self, infinite):
        super().__init__()
        self.infinite, self.batch = infinite, 0

    def before_fit(self):
        self.autocast, self.learn.scaler = torch.autocast("cpu", enabled=False), torch.amp.GradScaler("cpu")
        self.scales, self.different_scales = L(), set()

    def after_pred(self):
        super().after_pred()
        if self.training:
            self.learn.pred = self.learn.pred * (float("inf") if self.batch in self.infinite else 1)
            self.batch += 1

    def after_step(self):
        super().after_step()
        self.different_scales.add(self.learn.scaler.get_scale())


@pytest.mark.parametrize("infinite", [{0, 2}, set(range(100))])
def test_fp16_skips_steps_that_overflow_but_not_for_ever(learn, infinite, tmp_path):
    train = TrainConfig(stages=[stage(epochs=6)])
    learn.add_cb(Fp16OnCpu(infinite))
    before = snapshot(learn.model.parameters())
    if len(infinite) == 2:
        fit(learn, tmp_path, train)
        assert learn.fp16_on_cpu.different_scales == {2.0**15, 2.0**14}  # halved at each
        assert all(torch.isfinite(p).all() for p in learn.model.parameters())
        assert any(changed(before, learn.model.parameters()))
        assert learn.recorder.smooth_loss.value.isfinite()
    else:
        with pytest.raises(TrainingDiverged, match="the loss is inf in epoch 6, batch 1"):  # the 21st
            fit(learn, tmp_path, train)
        assert not any(changed(before, learn.model.parameters()))
