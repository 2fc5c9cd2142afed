"""What a training of super-resolution needs besides photos: the network, its loss, what is measured and shown."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from common.evaluation.metrics import psnr_y, ssim_y
from common.losses.loss import PerceptualLoss
from superres.bicubic import resize_bicubic
from superres.config import Config
from superres.measure import baseline_name, get_border
from superres.network import SuperResolver, get_model
from superres.start import take_over


def settle(config: Config) -> Config:
    """The config, with the network of a file of others that it starts from. Raises UserError if it cannot be built."""
    config = take_over(config)
    if config.model.network == "spandrel":
        with torch.random.fork_rng(devices=[]):
            get_model(config.model, config.data.scale)
    return config


def build(config: Config, *_: object) -> tuple[SuperResolver, PerceptualLoss]:
    """A new model and its loss; seed before."""
    return get_model(config.model, config.data.scale), PerceptualLoss(config.loss)


def get_metrics(config: Config, _: PerceptualLoss) -> list[Callable[[Tensor, Tensor], Tensor]]:
    """What is measured on held-out crops after each epoch."""
    return [partial(metric, border=get_border(config.data.scale)) for metric in (psnr_y, ssim_y)]


def get_columns(low: Tensor, pred: Tensor, sharp: Tensor) -> dict[str, Tensor]:
    """The columns of the pictures of each epoch."""
    scale = sharp.shape[-1] // low.shape[-1]
    return {"input": low, baseline_name(scale): resize_bicubic(low, scale), "prediction": pred, "target": sharp}
