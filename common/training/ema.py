"""A running average of the weights, which wanders less than they do: measured and kept in their place."""

from fastai.callback.core import Callback
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from common.runtime import processes


class Ema(Callback):
    """After each step: average = d * average + (1 - d) * weights, and validation sees the average.

    d is `decay`, but at most (1 + n) / (10 + n) after n steps, so that where training began is soon forgotten. What is
    no parameter (statistics, the vectors of spectral norm) is as in the model.
    """

    order = (
        12  # after `common.training.distributed.Distributed`, which takes the model out of its wrapper and puts it back
    )

    def __init__(self, decay):
        self.decay, self.averaged, self.trained, self.skipped = decay, None, None, False

    def before_fit(self):
        if self.averaged is None:
            self.averaged = AveragedModel(processes.unwrap_model(self.learn.model), multi_avg_fn=self.average)

    def average(self, averaged, weights, n):
        n = n.item()
        get_ema_multi_avg_fn(min(self.decay, (1 + n) / (10 + n)))(averaged, weights, n)

    def after_cancel_step(self):
        self.skipped = True  # fp16's gradients overflowed: no step was made

    def after_step(self):  # comes after a skipped one, too
        if not self.skipped:
            self.averaged.update_parameters(processes.unwrap_model(self.learn.model))
        self.skipped = False

    def before_validate(self):
        self.trained, average = self.learn.model, self.averaged.module
        for ours, theirs in zip(average.buffers(), self.trained.buffers(), strict=True):
            ours.copy_(theirs)  # several processes have just agreed on them
        self.learn.model = average.eval()

    def after_validate(self):
        if self.learn.model is self.averaged.module:  # else it is in its wrapper again
            self.learn.model = self.trained
        self.trained = None

    def state_dict(self):
        return self.averaged.state_dict()

    def load_state_dict(self, state):
        self.before_fit()
        self.averaged.load_state_dict(state)


def model_in_training(learn):
    """The model that is trained, also while its average is measured."""
    measured = hasattr(learn, "ema") and learn.ema.trained is not None
    return processes.unwrap_model(learn.ema.trained if measured else learn.model)


def model_to_save(learn):
    """The model to keep: the average, if there is one."""
    return learn.ema.averaged.module if hasattr(learn, "ema") else processes.unwrap_model(learn.model)
