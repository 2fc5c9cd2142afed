import copy
import sys
from functools import partial

import pandas as pd
import pytest
import torch
from fastai.callback.core import Callback
from fastai.optimizer import OptimWrapper
from torch import nn

from common.config.sections import TrainConfig
from common.models.unet import parameter_groups
from common.runs.resume import ResumePoint
from common.runtime.errors import TrainingStopped
from common.training import learner as training
from tests.common.training.conftest import SAVE, changed, fit, make_learner, snapshot, stage


def test_a_run_needs_none_of_the_optional_packages(learn, tmp_path, monkeypatch):
    for package in ("tensorboard", "accelerate", "torchmetrics"):
        monkeypatch.setitem(sys.modules, package, None)  # importing it fails
    monkeypatch.delitem(sys.modules, "fastai.callback.tensorboard", raising=False)
    fit(learn, tmp_path, TrainConfig(stages=[stage()], precision="fp32"))
    assert len(pd.read_csv(tmp_path / "history.csv")) == 1


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


def test_a_stop_that_is_asked_for_after_the_last_epoch_is_not_forgotten(learn, tmp_path):
    class Late(Callback):
        def after_fit(self):
            self.learn.resume_point.request.asked = True

    learn.add_cb(Late())
    with pytest.raises(TrainingStopped, match="stopped after the last epoch"):
        fit(learn, tmp_path)
