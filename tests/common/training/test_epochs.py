"""Which batches an epoch has, and with what a training goes on."""

import torch
from fastai.callback.core import Callback
from torch import nn

from common.config.sections import TrainConfig
from common.runs.resume import ResumePoint, read_resume_point
from common.runtime.interrupt import StopRequest
from tests.common.training.test_learner import make_learner, stage

TRAIN = TrainConfig(stages=[stage(epochs=2), stage(epochs=1)], precision="fp32")


class Epochs(Callback):
    """Remembers the epoch that each loader was asked for: (training, epoch)."""

    def before_fit(self):
        self.seen = getattr(self, "seen", [])

    def before_batch(self):
        self.seen.append((self.training, self.learn.dl.epoch))


def test_each_epoch_has_crops_of_its_own_and_the_held_out_ones_stay():
    learn = make_learner(nn.Conv2d(3, 3, 1), TRAIN)
    learn.add_cb(Epochs())
    learn.fit_stages()
    assert {epoch for training, epoch in learn.epochs.seen if training} == {0, 1, 2}
    assert {epoch for training, epoch in learn.epochs.seen if not training} == {0}


def test_a_training_goes_on_with_the_weights_and_the_optimizer_that_it_had(tmp_path):
    first = make_learner(nn.Conv2d(3, 3, 1), TRAIN)
    first.add_cb(ResumePoint(tmp_path / "resume.pt", 10, 1, StopRequest()))
    first.begin_stage(0)
    first.fit_stage()
    second, point = make_learner(nn.Conv2d(3, 3, 1), TRAIN), ResumePoint(tmp_path / "other.pt", 10, 1, StopRequest())
    second.add_cb(point)
    second.begin_stage(0)
    point.restore(read_resume_point(tmp_path / "resume.pt"))
    assert torch.equal(second.model.weight, first.model.weight)
    ours, theirs = (learn.opt.state_dict()["state"] for learn in (second, first))
    assert len(ours) == len(theirs) > 0
    for mine, other in zip(ours.values(), theirs.values(), strict=True):
        assert torch.equal(mine["exp_avg_sq"], other["exp_avg_sq"])
        assert mine["exp_avg_sq"].abs().sum() > 0
