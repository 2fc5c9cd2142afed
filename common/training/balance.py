"""`loss.balance: always`: the terms keep their shares of the pull on the picture.

The balancer of Défossez et al. 2022 (arXiv 2210.13438, section 3.4) divides each term's gradient in the output by a
running average of its norm. A factor on the term does the same, so one backward pass through the network remains. The
pulls change slowly: they are measured every few steps.
"""

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
        return {"averages": self.averages, "first": self.first, "steps": self.steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.averages, self.first, self.steps = dict(state["averages"]), dict(state["first"]), state["steps"]

    def after_pred(self) -> None:
        loss = self.learn.loss_func
        if not self.training:
            loss.factors = self.first
            return
        if self.steps % EVERY == 0:
            loss.factors = {}
            self.note(measure_pulls(loss, self.learn.pred, *self.learn.yb))
        self.steps += 1
        loss.factors = self.factors()
        self.first = {**loss.factors, **self.first}

    def note(self, pulls: Mapping[str, float]) -> None:
        """Takes new pulls into the running averages: the means of all processes."""
        means = processes.all_reduce_sum(list(pulls.values()))
        for name, total in zip(pulls, means, strict=True):
            pull, before = total / processes.count(), self.averages.get(name)
            self.averages[name] = pull if before is None else DECAY * before + (1 - DECAY) * pull

    def factors(self) -> dict[str, float]:
        """{term: what it is multiplied by}, so that the pulls are the shares that the weights say."""
        config = self.learn.loss_func.config
        wanted = shares({name: config.weight(name) for name in config.active_terms()})
        return {name: wanted[name] / average for name, average in self.averages.items() if average > 0}

    def after_fit(self) -> None:
        self.learn.loss_func.factors = self.first
