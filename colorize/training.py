"""What a training of colourisation needs besides photos: the network, its loss, what is measured and shown."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from colorize.bins import measure_bins
from colorize.config import Config
from colorize.loss import ColorLoss
from colorize.metrics import ab_error, psnr_ab
from colorize.network import Colorizer, get_model
from common.batches.folders import PhotoSplit
from common.losses.loss import PerceptualLoss


def build(config: Config, run: Path | None, photos: PhotoSplit) -> tuple[Colorizer, PerceptualLoss]:
    """A new model and its loss; seed before. The colours that it names are those of the photos to train on."""
    size = config.train.largest_crop()
    if not config.loss.color_classes:
        return get_model(config.model, size), PerceptualLoss(config.loss)
    bins = measure_bins(photos.train)
    colors = bins.centres, bins.weights(config.loss.rebalance())
    model = get_model(config.model, size, colors)
    model.remembers = True
    as_frequent = (bins.parts * colors[1]).log()  # what it should say before it has seen anything
    with torch.no_grad():
        cast(Tensor, model.unet.last.bias).copy_(as_frequent)
    return model, ColorLoss(config.loss, *colors, config.model.vividness)


def get_metrics(_: Config, __: PerceptualLoss) -> list[Callable[[Tensor, Tensor], Tensor]]:
    """What is measured on held-out crops after each epoch."""
    return [ab_error, psnr_ab]


def get_columns(grey: Tensor, pred: Tensor, color: Tensor) -> dict[str, Tensor]:
    """The columns of the pictures of each epoch."""
    return {"grey": grey, "prediction": pred, "target": color}
