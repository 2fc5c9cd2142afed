"""`loss.balance: always`: the terms keep their shares of the pull on the picture.

The balancer of Défossez et al. 2022 (arXiv 2210.13438, section 3.4) divides each term's gradient in the output by a
running average of its norm. A factor on the term does the same, so one backward pass through the network remains. The
pulls change slowly: they are measured every few steps.
"""

import math
from collections.abc import Mapping
from typing import Any

from fastai.callback.core import Callback

from common.losses.pulls import measure_pulls, shares
from common.runtime import processes

EVERY = 10  # steps
DECAY = 0.9  # of the running average, from one measurement to the next


class Balance(Callback):
    """Sets the `factors` of a PerceptualLoss. On held-out photos they stay the first ones, so that epochs compare.

    `end_epoch` says what shares of the pull the terms had.
    """

    order = 20  # after the precision's callback, which makes the prediction float32
    learn: Any  # a StageLearner

    def __init__(self) -> None:
        self.averages: dict[str, float] = {}
        self.first: dict[str, float] = {}
        self.steps = 0
        self.sums: dict[str, float] = {}  # of the shares since the epoch began
        self.shares: dict[str, float] = {}  # in the epoch before

    def state_dict(self) -> dict[str, Any]:
        return {
            "averages": dict(self.averages), "first": dict(self.first), "steps": self.steps,
            "sums": dict(self.sums), "shares": dict(self.shares),
        }  # fmt: skip

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.averages, self.first, self.steps = dict(state["averages"]), dict(state["first"]), state["steps"]
        self.sums, self.shares = dict(state.get("sums", {})), dict(state.get("shares", {}))  # not of earlier versions

    def after_pred(self) -> None:
        loss = self.learn.loss_func
        if not self.training:
            loss.factors = self.first
            return
        if self.iter % self.learn.train_config.accumulate:  # a later part of a step, whose factors stay
            return
        if self.steps % EVERY == 0:
            progress, loss.factors, loss.progress = loss.progress, {}, 1.0  # of all terms, those that count later too
            pulls = self.note(measure_pulls(loss, self.learn.pred, *self.learn.yb))
            loss.progress = progress
            self.add_shares({name: pull for name, pull in pulls.items() if loss.counts(name)})
        self.steps += 1
        loss.factors = self.factors()
        self.first = {**loss.factors, **self.first}

    def note(self, pulls: Mapping[str, float]) -> dict[str, float]:
        """Takes new pulls into the running averages: the means of all processes, which it returns. None of a step that
        will be skipped, since something in it is not finite."""
        sums = processes.all_reduce_sum(list(pulls.values()))
        if not all(map(math.isfinite, sums)):
            return {}
        means = {name: total / processes.count() for name, total in zip(pulls, sums, strict=True)}
        for name, pull in means.items():
            before = self.averages.get(name)
            self.averages[name] = DECAY * before + (1 - DECAY) * pull if before else pull
        return means

    def add_shares(self, pulls: Mapping[str, float]) -> None:
        """Adds the shares that pulls have with the factors of now to those of the epoch."""
        factors = self.factors()
        balanced = {name: factors[name] * pull for name, pull in pulls.items()}
        if any(balanced.values()):
            for name, share in shares(balanced).items():
                self.sums[name] = self.sums.get(name, 0.0) + share

    def end_epoch(self) -> dict[str, float]:
        """{term: its share of the pull on the picture} in the epoch that ends, on average over the steps on which it
        was measured; as in the one before if it was on none. They add up to 1."""
        if self.sums:
            self.shares = shares(self.sums)  # each step's add up to 1
        self.sums = {}
        return self.shares

    def factors(self) -> dict[str, float]:
        """{term: what it is multiplied by}, so that the pulls are the shares that the weights say."""
        config = self.learn.loss_func.config
        wanted = shares({name: config.weight(name) for name in config.active_terms()})
        return {name: wanted[name] / average if average else 0.0 for name, average in self.averages.items()}

    def before_fit(self) -> None:
        self.before = self.state_dict()

    def after_fit(self) -> None:
        if hasattr(self.learn, "lr_finder"):  # which undoes its steps
            self.load_state_dict(self.before)
        self.learn.loss_func.factors = self.first
