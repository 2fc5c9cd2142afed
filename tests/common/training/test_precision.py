"""Which precision a training works in, and what overflows in it."""

import pytest
import torch
from fastcore.foundation import L

from common.batches.block import choose_workers
from common.config.sections import TrainConfig
from common.runtime import processes
from common.runtime.errors import TrainingDiverged, UserError
from common.training.advice import out_of_memory_advice
from common.training.precision import Float16, check_precision
from tests.common.training.conftest import CPU, changed, fit, make_learner, snapshot, stage


def test_out_of_memory_names_what_needs_half():
    train = TrainConfig(stages=[stage(crop=64, bs=8)], accumulate=2)
    said = out_of_memory_advice(0, train.stages[0], train, torch.OutOfMemoryError("CUDA out of memory.\nmore"))
    assert said.startswith("train.stages.0 does not fit into memory (CUDA out of memory. more)")
    assert "train.accumulate=4 (the same steps in smaller parts), train.stages.0.bs=4, train.stages.0.crop=32." in said
    train = TrainConfig(stages=[stage(crop=64, bs=12)], accumulate=4)
    assert "train.stages.0.bs=4," in out_of_memory_advice(0, train.stages[0], train, RuntimeError("x"))  # not 6
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
