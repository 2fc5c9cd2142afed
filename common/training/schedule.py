"""Where a training is in its one-cycle schedule."""

from typing import Any

from fastai.callback.core import Callback


class Schedule(Callback):
    """Sets the position in the one-cycle schedule from the epoch and the step, wherever the fit began.

    fastai adds up the batches of the fit instead. The `accumulate` batches of one step share its learning rate.
    """

    order, run_valid = 59, False  # before ParamScheduler
    learn: Any  # a StageLearner

    def __init__(self, accumulate: int) -> None:
        self.accumulate = accumulate

    def before_batch(self) -> None:
        done = self.iter // self.accumulate * self.accumulate
        self.learn.pct_train = (self.epoch + done / self.n_iter) / self.n_epoch
        self.learn.train_iter = self.epoch * self.n_iter + self.iter
