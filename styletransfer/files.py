"""Model files of style transfer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from torch import nn

from common.config.losses import LossConfig
from common.models.model_file import fill_weights, read_model_file, validate_section, write_model_file
from common.runtime.errors import UserError
from common.runtime.names import nfc
from styletransfer.config import Config, StyleConfig, StyleModelConfig
from styletransfer.johnson import TransformationNetwork
from styletransfer.network import Stylizer, get_model

NAME = "styletransfer"  # of the task, in model files
VGG_FROM_FILE = "file"  # what `LossConfig.without_paths` says in place of a path


def save_model(path: Path, model: nn.Module, config: Config) -> None:
    """Writes a model file: the weights, what rebuilds the model, and its loss. No path of this machine is in it."""
    values: dict[str, Any] = {
        "model": config.model.model_dump(mode="json", exclude={"unet": {"pretrained"}}),
        "style": config.style.model_dump(mode="json", exclude={"image", "add", "kept"}),
        "loss": config.loss.without_paths(),
    }
    if isinstance(model, Stylizer) and model.styles:
        values["styles"] = model.styles
    write_model_file(path, model, NAME, values)


def load_model(path: Path) -> Stylizer:
    """The Stylizer of a model file, in eval mode on the CPU. Needs no network.

    Raises UserError if it is not a complete model file of this task.
    """
    values, state = read_model_file(path, NAME)
    config = validate_section(path, StyleModelConfig, values.get("model"))
    return fill_weights(path, get_model(config.without_pretrained(), style_names_of(path, values)), state)


def to_onnx(model: Stylizer) -> tuple[nn.Module, dict[str, int]]:
    """The model as an exporter can follow it: of one with a dial, the network in its style alone, in full strength.

    Raises UserError if its style is a mix with the photo.
    """
    if not model.chosen:
        return model, {}
    if model.chosen[0] > 0:
        raise UserError("--style: an ONNX file paints in full strength; leave the photo out of the mix")
    network = cast(TransformationNetwork, model.network)
    return Stylizer(network.in_style(model.chosen), model.residual).eval(), {}


def read_styles(path: Path) -> tuple[list[str], StyleModelConfig]:
    """The styles of a model file's model, if it has several, and its network. Raises UserError as `load_model` does."""
    values, _ = read_model_file(path, NAME)
    return style_names_of(path, values), validate_section(path, StyleModelConfig, values.get("model"))


def style_names_of(path: Path, values: Mapping[str, Any]) -> list[str]:
    """The styles that a model file's config names; none of a model of one. Raises UserError if those are no names."""
    names = values.get("styles", [])
    are_names = isinstance(names, list) and all(isinstance(name, str) and name for name in names)
    if not are_names or len(set(names)) < len(names):
        raise UserError(f"{path}: the styles in its config must be different names, not {names!s:.60}")
    return [nfc(name) for name in names]


def read_loss_and_style(path: Path) -> tuple[LossConfig, StyleConfig]:
    """The loss and the style that a model file's model was trained with. Raises UserError as `load_model` does.

    The VGG16 is 'file' if it came from one, and the style has no image: no path is in a model file.
    """
    values, _ = read_model_file(path, NAME)
    loss = validate_section(path, LossConfig, values.get("loss"))
    return loss, validate_section(path, StyleConfig, values.get("style"))
