"""A running average of the weights, which fluctuates less than they do: validated and saved in their place."""

from typing import Any

from fastai.callback.core import Callback
from fastai.learner import Learner
from torch import Tensor, nn
from torch.optim.swa_utils import PARAM_LIST, AveragedModel, get_ema_multi_avg_fn

from common.runtime import processes


class Ema(Callback):
    """After each step: average = d * average + (1 - d) * weights. Validation uses the average.

    d is `decay`, but at most (1 + n) / (10 + n) after n steps, so that the initial weights are soon forgotten. Buffers
    (statistics, the vectors of spectral norm) are not averaged: they are the model's.
    """

    order = 12  # after `common.training.distributed.Distributed`, which unwraps the model and wraps it again
    learn: Any  # a StageLearner
    averaged: AveragedModel  # made when the first fit begins

    def __init__(self, decay: float) -> None:
        self.decay, self.skipped = decay, False
        self.trained: nn.Module | None = None  # during validation: the model that the average stands in for

    @property
    def has_begun(self) -> bool:
        """Whether there was a step since the average was made."""
        return "averaged" in vars(self) and bool(self.averaged.n_averaged > 0)

    def before_fit(self) -> None:
        if "averaged" not in vars(self):
            self.averaged = AveragedModel(processes.unwrap_model(self.learn.model), multi_avg_fn=self.average)

    def average(self, averaged: PARAM_LIST, weights: PARAM_LIST, n_averaged: Tensor | int) -> None:
        n = int(n_averaged)
        get_ema_multi_avg_fn(min(self.decay, (1 + n) / (10 + n)))(averaged, weights, n)

    def after_cancel_step(self) -> None:
        self.skipped = True  # the gradient was not finite: no step was made

    def after_step(self) -> None:  # called after a skipped step, too
        if not self.skipped and not hasattr(self.learn, "lr_finder"):  # whose steps are undone
            self.averaged.update_parameters(processes.unwrap_model(self.learn.model))
        self.skipped = False

    def before_validate(self) -> None:
        if not self.has_begun:
            return
        trained, average = self.learn.model, self.averaged.module
        for ours, theirs in zip(average.buffers(), trained.buffers(), strict=True):
            ours.copy_(theirs)  # several processes have just agreed on them
        self.trained, self.learn.model = trained, average.eval()

    def after_validate(self) -> None:
        if self.trained is not None and self.learn.model is self.averaged.module:  # otherwise it is wrapped again
            self.learn.model = self.trained
        self.trained = None

    def state_dict(self) -> dict[str, Any]:
        return self.averaged.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.before_fit()
        self.averaged.load_state_dict(state)


def model_in_training(learn: Learner) -> nn.Module:
    """The model that is trained, also during validation, when its average is in its place."""
    validating = hasattr(learn, "ema") and learn.ema.trained is not None
    return processes.unwrap_model(learn.ema.trained if validating else learn.model)


def model_to_save(learn: Learner) -> nn.Module:
    """The model to save: the average, if there is one."""
    if hasattr(learn, "ema") and learn.ema.has_begun:
        return learn.ema.averaged.module
    return processes.unwrap_model(learn.model)
