"""Training with what is not finite: the rule of `common.runtime.finite` for losses and gradients."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from fastai.callback.core import Callback
from fastai.learner import CancelStepException  # pyright: ignore[reportAttributeAccessIssue]
from torch import Tensor

from common.runtime import processes
from common.runtime.errors import TrainingDiverged
from common.runtime.finite import MAX_SKIPPED, gradients_are_finite


class FiniteSteps(Callback):
    """Skips steps whose gradient is not finite, counts them in `total`, and raises TrainingDiverged as the rule says.

    A loss that is not finite makes its gradient NaN, and so that of all processes: they skip the same steps, and only
    then do they talk about why.
    """

    order = 60.5  # after fp16's scaler, which skips by itself; before `run_callbacks.History`
    learn: Any  # a StageLearner

    def __init__(self) -> None:
        self.total, self.in_a_row, self.skipping = 0, 0, False
        self.skipped = False  # whether the step before was
        self.parts: list[tuple[Tensor, Mapping[str, Tensor]]] = []  # of the step: loss, its terms

    def state_dict(self) -> dict[str, Any]:
        return {"total": self.total, "in_a_row": self.in_a_row}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.total, self.in_a_row = state["total"], state["in_a_row"]

    def before_train(self) -> None:
        self.parts = []

    def after_loss(self) -> None:
        if self.training:
            loss = self.learn.loss.detach()
            self.parts.append((loss, getattr(self.learn.loss_func, "terms", {})))
            self.learn.loss_grad = self.learn.loss_grad * torch.where(loss.isfinite(), 1.0, math.nan)

    def before_step(self) -> None:
        if not in_fp16(self.learn) and not gradients_are_finite(self.learn.model.parameters()):
            raise CancelStepException

    def after_cancel_step(self) -> None:
        self.skipping = True

    def after_step(self) -> None:  # called after a skipped step, too
        parts, skipping = self.parts, self.skipping
        self.parts, self.skipping, self.skipped = [], False, skipping
        if not skipping or hasattr(self.learn, "lr_finder"):  # which goes on until nothing is finite
            self.in_a_row = 0
            return
        self.total, self.in_a_row = self.total + 1, self.in_a_row + 1
        loss, terms = next((part for part in parts if not part[0].isfinite()), parts[-1])
        values = processes.all_reduce_sum([loss.item(), *(term.item() for term in terms.values())])
        mean, *means = (value / processes.count() for value in values)
        moment = f"in epoch {epoch_number(self.learn)}, batch {self.iter + 1}"
        if not math.isfinite(mean) and not (in_fp16(self.learn) and self.in_a_row <= MAX_SKIPPED):
            raise loss_diverged(self.learn, mean, moment, dict(zip(terms, means, strict=True)))
        if self.in_a_row > MAX_SKIPPED:
            precision = "train.precision=bf16 or fp32, " if in_fp16(self.learn) else ""
            raise TrainingDiverged(
                f"the gradient was NaN or infinite in {self.in_a_row} steps in a row, up to batch {self.iter + 1} of "
                f"epoch {epoch_number(self.learn)}, so no weight changed, though the loss is {mean:.4g}; "
                f"{where_the_weights_are(self.learn)}. Start again with {precision}a lower train.stages.*.lr, or lower "
                "weights in section loss."
            )


def loss_diverged(learn: Any, loss: float, moment: str, terms: Mapping[str, float]) -> TrainingDiverged:
    """The error for a loss that is not finite. learn: a StageLearner. moment: such as 'in epoch 3, batch 2'."""
    each = ", ".join(f"{name} {value:.4g}" for name, value in terms.items())
    return TrainingDiverged(
        f"the loss is {loss} {moment} ({each}); {where_the_weights_are(learn)}. Start again with a lower "
        "train.stages.*.lr, train.precision=fp32, or a lower weight of the term that is not finite."
    )


def where_the_weights_are(learn: Any) -> str:
    checkpoints = getattr(learn, "checkpoints", None)  # of a run
    if checkpoints is None or not checkpoints.last.exists():
        return "no epoch is finished yet"
    return f"the last good weights are in {checkpoints.last}"


def epoch_number(learn: Any) -> int:
    """The number of the epoch over all stages, from 1."""
    return learn.epochs_before + learn.epoch + 1


def in_fp16(learn: Any) -> bool:
    """Whether a gradient scaler looks at the gradients."""
    return getattr(learn, "scaler", None) is not None
