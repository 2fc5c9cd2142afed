"""What a training of colourisation needs besides photos: the network, its loss, what is measured and shown."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from colorize.bins import measure_bins
from colorize.config import Config
from colorize.files import NAME, colors_in
from colorize.loss import ColorLoss
from colorize.metrics import ab_error, psnr_ab
from colorize.network import Colorizer, get_model
from common.batches.folders import PhotoSplit
from common.losses.loss import PerceptualLoss
from common.models.model_file import read_model_file
from common.models.weights import StateDict
from common.runs.resume import RESUME_FILE, read_resume_point
from common.runtime.errors import UserError


def build(config: Config, run: Path | None, photos: PhotoSplit) -> tuple[Colorizer, PerceptualLoss]:
    """A new model and its loss; seed before.

    The colours that it names are those of the photos to train on, or of the model that it starts from, which it goes on
    to name; of a run that goes on they stay, whatever became of its photos.
    """
    size = config.train.largest_crop()
    if not config.loss.color_classes:
        return get_model(config.model, size), PerceptualLoss(config.loss)
    kept = colors_of_run(run)
    bins = measure_bins(photos.train, kept[0] if kept else first_centres(config))
    colors = kept or (bins.centres, bins.weights(config.loss.rebalance()))
    model = get_model(config.model, size, colors)
    model.remembers = True
    as_frequent = (bins.parts * colors[1]).log()  # what it should say before it has seen anything
    with torch.no_grad():
        cast(Tensor, model.unet.last.bias).copy_(as_frequent)
    return model, ColorLoss(config.loss, *colors, config.model.vividness)


def colors_of_run(run: Path | None) -> tuple[Tensor, Tensor] | None:
    """(centres, weights) of the model of a stopped run, if it has a resume point."""
    state = None if run is None else read_resume_point(run / RESUME_FILE)
    return None if state is None else colors_in(state["model"])


def first_centres(config: Config) -> Tensor | None:
    """(Q, 2), the centres of the colours that the model of `train.start_from` names, if it names any.

    Raises UserError if that cannot be read.
    """
    if config.train.start_from is None:
        return None
    try:
        colors = colors_in(read_model_file(config.train.start_from.expanduser(), NAME)[1])
    except UserError as error:
        raise UserError(f"train.start_from: {error}") from error
    return colors[0].float() if colors else None


def read_weights(path: Path) -> StateDict:
    """The weights of `train.start_from` without its colours, of which a model has its own. Raises UserError."""
    return {name: value for name, value in read_model_file(path, NAME)[1].items() if name not in ("centres", "weights")}


def get_metrics(_: Config, __: PerceptualLoss) -> list[Callable[[Tensor, Tensor], Tensor]]:
    """What is measured on held-out crops after each epoch."""
    return [ab_error, psnr_ab]


def get_columns(grey: Tensor, pred: Tensor, color: Tensor) -> dict[str, Tensor]:
    """The columns of the pictures of each epoch."""
    return {"grey": grey, "prediction": pred, "target": color}
