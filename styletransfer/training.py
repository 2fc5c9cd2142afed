"""What a training of style transfer needs besides photos: styles, the network, its loss, what is measured and shown."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from common.losses.loss import PerceptualLoss
from common.runtime.errors import UserError
from styletransfer.config import Config
from styletransfer.files import load_model, read_styles
from styletransfer.johnson import TransformationNetwork
from styletransfer.loss import StyleLoss
from styletransfer.metrics import content_kept_metric
from styletransfer.network import Stylizer, get_model
from styletransfer.style import (
    find_styles,
    open_styles,
    save_styles,
    style_file,
    style_names,
    style_to_tensors,
)

log = logging.getLogger(__name__)


def with_styles_named(config: Config) -> Config:
    """The config with its folder of styles as a list, and the names of the styles that `style.add` adds to."""
    style = config.style
    if style.is_conditional and not isinstance(style.image, list):
        style = style.model_copy(update={"image": list(find_styles(style).values())})
    if style.add and style.kept is None and config.train.start_from is not None:
        kept, network = read_styles(config.train.start_from.expanduser())
        if not kept:
            raise UserError(
                f"style.add: {config.train.start_from} has one style; begin with a model that was trained with a "
                "list or a folder as style.image"
            )
        for key, value in network.johnson or ():
            if value != getattr(config.model.johnson, key):
                raise UserError(
                    f"style.add: {config.train.start_from} has johnson.{key} = {value}; set model.johnson.{key}={value}"
                )
        style = style.model_copy(update={"kept": kept})
    find_styles(style)  # their names must differ from those kept
    return config.model_copy(update={"style": style})


def build(config: Config, run: Path | None = None, _: object = None) -> tuple[Stylizer, StyleLoss]:
    """A new model and its loss; seed before. run: the folder of a stopped run, whose copies of the styles are taken."""
    config = with_styles_named(config)
    styles = open_styles(config.style, run)
    loss = StyleLoss(config.loss, *(style_to_tensors(style, config.style) for style in styles.values()))
    return get_model(config.model, style_names(config.style)), loss


def begin(config: Config, model: Stylizer) -> None:
    """Freezes all but the styles that are added to those that the model had; without `add`, gives each style what it
    had in the model that training starts from."""
    if not isinstance(model.network, TransformationNetwork):
        return
    if config.style.kept:
        model.network.learn_only_new(len(config.style.kept))
    elif model.styles and config.train.start_from is not None:
        take_styles(model, model.network, config.train.start_from.expanduser())


@torch.no_grad()
def take_styles(model: Stylizer, network: TransformationNetwork, path: Path) -> None:
    """Fills the scales and shifts of styles by their names in a model file, since `start_from` fills by their places.

    Others begin anew, with a line. Raises UserError if the file cannot be read.
    """
    old = load_model(path)
    if not isinstance(old.network, TransformationNetwork) or not old.styles:
        return
    if new := [name for name in model.styles if name not in old.styles]:
        log.info("start_from: styles that begin anew: %s", ", ".join(new))
    for norm, before in zip(network.norms().values(), old.network.norms().values(), strict=True):
        for ours, theirs, first in ((norm.scales, before.scales, 1.0), (norm.shifts, before.shifts, 0.0)):
            for value, name in zip(ours, model.styles, strict=True):
                known = theirs[old.styles.index(name)] if name in old.styles else None
                if known is not None and known.shape == value.shape:
                    value.copy_(known)
                else:
                    value.fill_(first)


def keep_styles(config: Config, run: Path) -> None:
    """Copies the pictures of the styles into the run folder: of those to learn, and of those that were there before, if
    they lie beside their model."""
    save_styles(run, open_styles(config.style, run), config.style)
    if config.train.start_from is None:
        return
    for name in config.style.kept or ():
        picture = style_file(config.train.start_from.expanduser().parent, name)
        if picture.exists():
            shutil.copy(picture, style_file(run, name))


def get_metrics(_: Config, loss: PerceptualLoss) -> list[Callable[..., Tensor]]:
    """What is measured on held-out photos after each epoch."""
    return [content_kept_metric(loss)]


def get_columns(photo: Tensor, pred: Tensor, _: Tensor) -> dict[str, Tensor]:
    """The columns of the pictures of each epoch."""
    return {"photo": photo, "prediction": pred}  # each in the style that was drawn for it
