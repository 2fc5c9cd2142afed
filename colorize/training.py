"""What a training of colourisation needs besides photos: the network, its loss, what is measured and shown."""

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from colorize.config import Config
from colorize.metrics import ab_error, psnr_ab
from colorize.network import Colorizer, get_model
from common.losses.loss import PerceptualLoss


def build(config: Config, run: Path | None = None) -> tuple[Colorizer, PerceptualLoss]:
    """A new model and its loss; seed before."""
    return get_model(config.model, config.train.largest_crop()), PerceptualLoss(config.loss)


def get_metrics(_: Config, __: PerceptualLoss) -> list[Callable[[Tensor, Tensor], Tensor]]:
    """What is measured on held-out crops after each epoch."""
    return [ab_error, psnr_ab]


def get_columns(grey: Tensor, pred: Tensor, color: Tensor) -> dict[str, Tensor]:
    """The columns of the pictures of each epoch."""
    return {"grey": grey, "prediction": pred, "target": color}
