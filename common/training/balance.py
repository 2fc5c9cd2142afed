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
    """Sets the `factors` of a PerceptualLoss. On held-out photos they stay the first ones, so that epochs compare."""

    order = 20  # after the precision's callback, which makes the prediction float32
    learn: Any  # a StageLearner

    def __init__(self) -> None:
        self.averages: dict[str, float] = {}
        self.first: dict[str, float] = {}
        self.steps = 0

    def state_dict(self) -> dict[str, Any]:
        return {"averages": dict(self.averages), "first": dict(self.first), "steps": self.steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.averages, self.first, self.steps = dict(state["averages"]), dict(state["first"]), state["steps"]

    def after_pred(self) -> None:
        loss = self.learn.loss_func
        if not self.training:
            loss.factors = self.first
            return
        if self.steps % EVERY == 0:
            progress, loss.factors, loss.progress = loss.progress, {}, 1.0  # of all terms, those that count later too
            self.note(measure_pulls(loss, self.learn.pred, *self.learn.yb))
            loss.progress = progress
        self.steps += 1
        loss.factors = self.factors()
        self.first = {**loss.factors, **self.first}

    def note(self, pulls: Mapping[str, float]) -> None:
        """Takes new pulls into the running averages: the means of all processes. Not of a step that will be skipped,
        since something in it is not finite."""
        sums = processes.all_reduce_sum(list(pulls.values()))
        if not all(map(math.isfinite, sums)):
            return
        for name, total in zip(pulls, sums, strict=True):
            pull, before = total / processes.count(), self.averages.get(name)
            self.averages[name] = DECAY * before + (1 - DECAY) * pull if before else pull

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
