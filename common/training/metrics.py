"""fastai metrics over all processes: of pictures, of the terms of the loss, of the loss."""

import math
from collections.abc import Mapping
from typing import Any, cast

import torch
from fastai.learner import AvgMetric, AvgSmoothLoss, Learner
from fastai.torch_core import find_bs, to_detach
from torch import Tensor

from common.runtime import processes


class ImageMetric(AvgMetric):
    """The mean of function(pred, target) -> (N,) over all processes' validation photos, under the function's name."""

    total: float
    count: int

    def accumulate(self, learn: Learner) -> None:
        values = self.func(learn.pred, *learn.yb)
        self.add_sum(values.sum(), len(values))

    def add_sum(self, total: Tensor, n: int) -> None:
        """Adds the sum of the values of n photos."""
        self.total += total.item()
        self.count += n

    @property
    def value(self) -> float | None:
        """None if there were no photos, as with fastai's."""
        total, n = processes.all_reduce_sum([self.total, self.count])
        return total / n if n else None


class LossTerm(ImageMetric):
    """The mean of one weighted term of a `PerceptualLoss`, under the term's name."""

    def __init__(self, term: str) -> None:
        self.term = term

    @property
    def name(self) -> str:
        return self.term

    def accumulate(self, learn: Learner) -> None:
        n = find_bs(learn.yb)
        self.add_sum(learn.loss_func.terms[self.term].mean() * n, n)


class ValidLoss(ImageMetric):
    """The mean of the whole loss. fastai's AvgLoss, in its place, would weight the processes' last batches equally."""

    def __init__(self) -> None:
        super().__init__(None)

    @property
    def name(self) -> str:
        return "loss"

    def accumulate(self, learn: Learner) -> None:
        n = find_bs(learn.yb)
        self.add_sum(cast(Tensor, learn.loss).detach().mean() * n, n)


class TrainLoss(AvgSmoothLoss):
    """fastai's smoothed training loss, for steps that may consist of several batches, `accumulate` of them."""

    val: Tensor

    def __init__(self, accumulate: int) -> None:
        super().__init__()
        self.parts: list[Tensor] = []
        self.n_parts = accumulate

    def accumulate(self, learn: Any) -> None:
        self.parts.append(cast(Tensor, to_detach(cast(Tensor, learn.loss).mean())))  # the mean of all processes
        if len(self.parts) == self.n_parts:
            loss = torch.stack(self.parts).mean()
            if not learn.finite_steps.skipped:  # to look at the loss itself would wait for the device
                self.count += 1
                self.val = torch.lerp(loss, self.val, self.beta)
            self.parts = []

    @property
    def value(self) -> Tensor:
        return super().value if self.count else torch.stack(self.parts or [torch.tensor(math.nan)]).mean()

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count, "value": self.val}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.count, self.val = state["count"], state["value"]
