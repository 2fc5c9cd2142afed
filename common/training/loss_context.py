"""What the loss is told of each batch: how far the training is, what the network was given, what it put out."""

from typing import Any

from fastai.callback.core import Callback
from torch import Tensor, nn

from common.runtime import processes


class LossContext(Callback):
    """Sets `progress`, `held_out`, `input` and `output` of a `PerceptualLoss`.

    On held-out photos all terms count, so that epochs compare.
    """

    order = -5
    learn: Any  # a StageLearner

    def before_batch(self) -> None:
        loss = self.learn.loss_func
        loss.held_out = not self.training
        loss.input = self.learn.xb[0]
        loss.progress = self.part_done() if self.training else 1.0

    def after_pred(self) -> None:
        self.learn.loss_func.output = take_output(self.learn.model)

    def part_done(self) -> float:
        """Of the training's epochs, all stages together."""
        learn = self.learn
        epochs = sum(stage.epochs for stage in learn.train_config.stages)
        batch = learn.iter - learn.iter % learn.train_config.accumulate  # the parts of a step count alike
        return min(1.0, (learn.epochs_before + learn.epoch + batch / max(1, learn.n_iter)) / epochs)

    def after_fit(self) -> None:
        loss = self.learn.loss_func
        loss.progress, loss.input, loss.output, loss.held_out = 1.0, None, None, False


def take_output(model: nn.Module) -> Tensor | None:
    """What a network put out before it became a picture, if it keeps that for its loss; it does not keep it longer."""
    network = processes.unwrap_model(model)
    output = getattr(network, "output", None)
    if output is not None:
        vars(network)["output"] = None
    return output
