"""Gradients that are too long: fastai's clipping, in its place among our callbacks, with a line on what it did."""

import logging
from typing import Any

import torch
from fastai.callback.training import GradientClip
from torch import Tensor, nn

from common.runtime import processes
from common.training.finite_steps import FiniteSteps

log = logging.getLogger(__name__)


class Clip(GradientClip):
    """fastai's GradientClip, once `FiniteSteps` has seen the gradient: clipping turns an infinite one into zeros."""

    order = FiniteSteps.order + 0.1
    run_valid = False
    learn: Any  # a StageLearner

    def before_train(self) -> None:
        self.lengths: list[Tensor] = []  # of the epoch's gradients; on their device, so that no step waits for it

    def before_step(self) -> None:
        self.lengths.append(nn.utils.clip_grad_norm_(self.learn.model.parameters(), self.max_norm).detach())

    def after_train(self) -> None:
        if self.lengths and processes.is_main() and not hasattr(self.learn, "lr_finder"):
            lengths = torch.stack(self.lengths)
            log.info(
                "train.clip: gradients are %.3g long in the median, %.3g at most; %d of %d were shortened to %g",
                lengths.median(),
                lengths.max(),
                (lengths > self.max_norm).sum(),
                len(lengths),
                self.max_norm,
            )
