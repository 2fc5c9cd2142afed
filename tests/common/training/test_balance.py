"""`loss.balance: always`, and what the loss is told of the training."""

import copy

import pytest
import torch
from fastai.callback.core import Callback
from torch import nn

from common.config.sections import TrainConfig
from common.losses.pulls import measure_pulls
from common.training.balance import DECAY, EVERY, Balance
from tests.common.training.conftest import PAIRS, make_learner, stage


class Shift(nn.Module):
    """Adds a number to each colour."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.full((3, 1, 1), 0.1))

    def forward(self, x):
        return x + self.shift


class Note(Callback):
    def __init__(self, seen):
        self.seen = seen

    def after_validate(self):
        self.seen.append(dict(self.learn.loss_func.factors))


class Told(Callback):
    def __init__(self, seen):
        self.seen = seen

    def after_loss(self):
        loss = self.learn.loss_func
        self.seen.append((self.training, loss.progress, list(loss.terms)))


def learner(**loss):
    train = TrainConfig(stages=[stage(epochs=2)], precision="fp32")
    return make_learner(Shift(), train, **loss)


def test_the_gradients_have_the_shares_that_the_weights_say():
    learn = learner(mse=3, balance="always")
    x, y = (torch.stack(side) for side in zip(*PAIRS[:2], strict=True))
    balance, loss = learn.balance, learn.loss_func
    balance.note(measure_pulls(loss, x + 0.1, y))
    loss.factors = balance.factors()
    pulls = measure_pulls(loss, x + 0.1, y)
    assert pulls["l1"] == pytest.approx(1 / 4, rel=1e-4)  # of weights 1 and 3
    assert pulls["mse"] == pytest.approx(3 / 4, rel=1e-4)


def test_pulls_are_averaged_and_measured_every_few_steps(monkeypatch):
    balance = Balance()
    balance.note({"l1": 2.0})
    balance.note({"l1": 4.0})
    assert balance.averages["l1"] == pytest.approx(DECAY * 2 + (1 - DECAY) * 4)
    learn = learner(mse=3, balance="always")
    seen = []
    note = Balance.note
    monkeypatch.setattr(Balance, "note", lambda self, pulls: seen.append(self.steps) or note(self, pulls))
    learn.fit_stages()
    assert learn.balance.steps == 8  # 4 batches in each of 2 epochs
    assert seen == [0] if EVERY > 8 else seen[:2] == [0, EVERY]


def test_the_parts_of_a_step_have_one_loss(monkeypatch):
    monkeypatch.setattr("common.training.balance.EVERY", 1)
    train = TrainConfig(stages=[stage(epochs=2)], precision="fp32", accumulate=2)
    learn = make_learner(Shift(), train, mse=3, balance="always")
    seen = []

    class Factors(Callback):
        def after_loss(self):
            if self.training:
                seen.append(dict(self.learn.loss_func.factors))

    learn.add_cb(Factors())
    learn.fit_stages()
    assert learn.balance.steps == 4  # of two parts
    assert seen[::2] == seen[1::2]
    assert seen[0] != seen[2]


def test_epochs_are_compared_by_one_loss():
    learn = learner(mse=3, balance="always")
    held_out = []
    learn.add_cb(Note(held_out))
    learn.fit_stages()
    assert len(held_out) == 2
    assert held_out[0] == held_out[1] == learn.balance.first


def test_what_is_saved_continues_as_if_nothing_had_been():
    balance, other = Balance(), Balance()
    balance.note({"l1": 2.0, "mse": 1.0})
    balance.first, balance.steps = {"l1": 0.5}, 7
    balance.sums, balance.shares = {"l1": 1.5, "mse": 0.5}, {"l1": 0.25, "mse": 0.75}
    other.load_state_dict(copy.deepcopy(balance.state_dict()))
    assert vars(other) == vars(balance)


def test_the_loss_knows_how_far_the_training_is():
    learn = learner(mse={"weight": 1, "from": 0.5})
    told = []
    learn.add_cb(Told(told))
    learn.fit_stages()
    trained = [(progress, names) for training, progress, names in told if training]
    assert [progress for progress, _ in trained] == [i / 8 for i in range(8)]
    assert [len(names) for _, names in trained] == [1] * 4 + [2] * 4
    assert {(progress, len(names)) for training, progress, names in told if not training} == {(1.0, 2)}
    assert learn.loss_func.progress == 1.0


def test_what_is_not_finite_is_not_taken_in():
    balance = Balance()
    balance.note({"l1": 2.0, "mse": 1.0})
    balance.note({"l1": 3.0, "mse": float("nan")})
    assert balance.averages == {"l1": 2.0, "mse": 1.0}


def test_a_term_that_counts_later_has_its_factor_from_the_start():
    learn = learner(mse={"weight": 3, "from": 0.5}, balance="always")
    told = []
    learn.add_cb(Told(told))
    learn.fit_stages()
    assert set(learn.balance.first) == {"l1", "mse"}
    assert [len(names) for training, _, names in told if training] == [1] * 4 + [2] * 4


def test_shares_of_an_epoch_are_means_over_its_measurements():
    balance = learner(mse=3, balance="always").balance
    balance.averages = {"l1": 2.0, "mse": 1.0}  # so the factors are 1/4 / 2 and 3/4 / 1
    balance.add_shares({"l1": 2.0, "mse": 1.0})  # 1/4 and 3/4, as wanted
    balance.add_shares({"l1": 6.0, "mse": 1 / 3})  # 3/4 and 1/4
    assert balance.end_epoch() == pytest.approx({"l1": 1 / 2, "mse": 1 / 2})
    assert balance.end_epoch() == pytest.approx({"l1": 1 / 2, "mse": 1 / 2})  # nothing was measured since
    balance.add_shares({"l1": 5.0})  # the other does not count yet
    balance.add_shares({"l1": 0.0})  # nothing pulls
    balance.add_shares({})  # not finite
    balance.add_shares({"l1": 2.0, "mse": 1.0})
    assert balance.end_epoch() == pytest.approx({"l1": 5 / 8, "mse": 3 / 8})


def test_the_first_shares_are_those_asked_for_and_only_of_terms_that_count():
    learn = learner(mse=3, balance="always")
    learn.fit_stages()
    assert learn.balance.end_epoch() == pytest.approx({"l1": 1 / 4, "mse": 3 / 4})
    learn = learner(mse={"weight": 3, "from": 0.5}, balance="always")
    learn.fit_stages()
    assert learn.balance.steps < EVERY  # measured once, at the start
    assert learn.balance.end_epoch() == {"l1": 1.0}


def test_a_run_that_an_earlier_version_stopped_goes_on():
    balance = Balance()
    balance.load_state_dict({"averages": {"l1": 2.0}, "first": {"l1": 0.5}, "steps": 7})
    assert (balance.steps, balance.end_epoch()) == (7, {})


def test_looking_for_a_learning_rate_leaves_nothing_behind():
    learn = learner(mse=3, balance="always")
    learn.lr_find(num_it=5, show_plot=False)
    assert (learn.balance.steps, learn.balance.averages) == (0, {})
