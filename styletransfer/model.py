"""The style network: a photo in, the same photo in one style out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from common.config.sections import LossConfig, ModelConfig
from common.models.model_file import fill_weights, read_model_file, validate_section, write_model_file
from common.models.unet import Unet
from common.photos.pixels import as_plain
from common.runtime.errors import UserError
from common.runtime.names import nfc
from common.runtime.nearest import did_you_mean
from styletransfer.config import Config, StyleConfig, StyleModelConfig
from styletransfer.johnson import TransformationNetwork

TASK_NAME = "styletransfer"
VGG_FROM_FILE = "file"  # what a model file says in place of the path of loss.vgg


class Stylizer(nn.Module):
    """(N, 3, H, W) in [0, 1] -> the same, in a style.

    residual: the network predicts what to add to the photo (as logits, so that no pixel leaves [0, 1]), and untrained
    the photo comes back within 0.01. Otherwise it paints anew, as the paper's does. styles: the names, if it has
    several; it is then also given the mix, (N, k), how much of each of the last k.
    """

    def __init__(self, network: nn.Module, residual: bool, styles: Sequence[str] = ()) -> None:
        super().__init__()
        self.network, self.residual, self.styles = network, residual, list(styles)

    def forward(self, photo: Tensor, mix: Tensor | None = None) -> Tensor:
        photo = as_plain(photo)
        logits = self.network(photo) if mix is None else self.network(photo, mix)
        if self.residual:
            logits = torch.logit(photo, eps=0.01) + logits
        return logits.float().sigmoid()  # 8 bits are more than half precision has near 1


def get_model(config: StyleModelConfig, styles: Sequence[str] = ()) -> Stylizer:
    """A Stylizer as `config` describes it. styles: the names, if it has several, or may get more."""
    if config.johnson is not None:
        return Stylizer(TransformationNetwork(config.johnson.width, len(styles)), residual=False, styles=styles)
    unet = config.unet or ModelConfig()  # StyleModelConfig has one of the two
    network = Unet(unet.encoder, pretrained=unet.pretrained, norm=unet.norm, attention=unet.attention, blur=unet.blur)
    return Stylizer(network, residual=True)


def save_model(path: Path, model: nn.Module, config: Config) -> None:
    """Writes a model file: the weights, what rebuilds the model, and its loss. No path of this machine is in it."""
    loss = config.loss.model_dump(mode="json")
    if loss["vgg"] not in ("torchvision", "random"):
        loss["vgg"] = VGG_FROM_FILE
    values: dict[str, Any] = {
        "model": config.model.model_dump(mode="json", exclude={"unet": {"pretrained"}}),
        "style": config.style.model_dump(mode="json", exclude={"image", "add", "kept"}),
        "loss": loss,
    }
    if isinstance(model, Stylizer) and model.styles:
        values["styles"] = model.styles
    write_model_file(path, model, TASK_NAME, values)


def load_model(path: Path) -> Stylizer:
    """The Stylizer of a model file, in eval mode on the CPU. Needs no network.

    Raises UserError if it is not a complete model file of this task.
    """
    values, state = read_model_file(path, TASK_NAME)
    config = validate_section(path, StyleModelConfig, values.get("model"))
    return fill_weights(path, get_model(config.without_pretrained(), style_names_of(path, values)), state)


def read_styles(path: Path) -> tuple[list[str], StyleModelConfig]:
    """The styles of a model file's model, if it has several, and its network. Raises UserError as `load_model` does."""
    values, _ = read_model_file(path, TASK_NAME)
    return style_names_of(path, values), validate_section(path, StyleModelConfig, values.get("model"))


def style_names_of(path: Path, values: Mapping[str, Any]) -> list[str]:
    """The styles that a model file's config names; none of a model of one. Raises UserError if those are no names."""
    names = values.get("styles", [])
    are_names = isinstance(names, list) and all(isinstance(name, str) and name for name in names)
    if not are_names or len(set(names)) < len(names):
        raise UserError(f"{path}: the styles in its config must be different names, not {names!s:.60}")
    return [nfc(name) for name in names]


def in_style(model: Stylizer, words: str | None) -> Stylizer:
    """A Stylizer of one style, with the same pictures: 'NAME' of a model of several, or a mix, 'NAME:0.6,OTHER:0.4'.

    A model of one style comes back as it is. Raises UserError if there is no such style, or none is named.
    """
    if not model.styles:
        if words is not None:
            raise UserError(f"--style {words}: this model has one style, which needs no name")
        return model
    if words is None:
        raise UserError(f"this model has several styles; choose one or a mix with --style: {', '.join(model.styles)}")
    parts = dict.fromkeys(map(nfc, model.styles), 0.0)
    for word in nfc(words).split(","):
        name, colon, amount = word.strip().partition(":")
        if name not in parts:
            hint = did_you_mean(name, model.styles) or f"; there are {', '.join(model.styles)}"
            raise UserError(f"--style {words}: no style '{name}'{hint}")
        try:
            parts[name] += float(amount) if colon else 1.0
        except ValueError:
            raise UserError(f"--style {words}: '{amount}' is no number; write a mix as NAME:0.6,OTHER:0.4") from None
    total = sum(parts.values())
    if min(parts.values()) < 0 or not 0 < total < float("inf"):  # no NaN either
        raise UserError(f"--style {words}: each part must be 0 or more, and one of them more; all must be finite")
    network = cast(TransformationNetwork, model.network)
    return Stylizer(network.in_style([part / total for part in parts.values()]), model.residual).train(model.training)


def each_style(model: Stylizer) -> dict[str, Stylizer]:
    """{name: Stylizer of one style}; 'prediction' for a model that has but one."""
    return {name: in_style(model, name) for name in model.styles} or {"prediction": model}


def read_loss_and_style(path: Path) -> tuple[LossConfig, StyleConfig]:
    """The loss and the style that a model file's model was trained with. Raises UserError as `load_model` does.

    The VGG16 is 'file' if it came from one, and the style has no image: no path is in a model file.
    """
    values, _ = read_model_file(path, TASK_NAME)
    loss = validate_section(path, LossConfig, values.get("loss"))
    return loss, validate_section(path, StyleConfig, values.get("style"))
