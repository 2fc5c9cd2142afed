"""What the loss is told before each batch: how far the training is, and what the network was given."""

from typing import Any

from fastai.callback.core import Callback


class LossContext(Callback):
    """Sets `progress` and `input` of a `PerceptualLoss`. On held-out photos all terms count, so that epochs compare."""

    order = -5
    learn: Any  # a StageLearner

    def before_batch(self) -> None:
        loss = self.learn.loss_func
        loss.input = self.learn.xb[0]
        loss.progress = self.part_done() if self.training else 1.0

    def part_done(self) -> float:
        """Of the training's epochs, all stages together."""
        learn = self.learn
        epochs = sum(stage.epochs for stage in learn.train_config.stages)
        return min(1.0, (learn.epochs_before + learn.epoch + learn.iter / max(1, learn.n_iter)) / epochs)

    def after_fit(self) -> None:
        self.learn.loss_func.progress, self.learn.loss_func.input = 1.0, None
