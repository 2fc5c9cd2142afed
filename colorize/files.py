"""Model files of colourisation."""

from pathlib import Path

from torch import Tensor, nn

from colorize.config import ColorizeModelConfig, Config, DataConfig
from colorize.network import Colorizer, get_model
from common.models.model_file import fill_weights, read_model_file, validate_section, write_model_file
from common.models.weights import StateDict
from common.runtime.errors import UserError

NAME = "colorize"  # of the task, in model files


def save_model(path: Path, model: nn.Module, config: Config) -> None:
    """Writes a model file: the weights, and what rebuilds the model. No path of this machine is in it."""
    data = config.data.model_dump(mode="json", exclude={"path", "valid", "cache"})
    network = config.model.model_dump(mode="json", exclude={"pretrained"})
    values = {"model": network, "data": data, "size": config.train.largest_crop()}
    write_model_file(path, model, NAME, values)


def load_model(path: Path) -> Colorizer:
    """The Colorizer of a model file, in eval mode on the CPU. Needs no network.

    Raises UserError if it is not a complete model file of this task.
    """
    values, state = read_model_file(path, NAME)
    config = validate_section(path, ColorizeModelConfig, values.get("model"))
    validate_section(path, DataConfig, values.get("data"))
    if not isinstance(size := values.get("size"), int) or size < 1:
        raise UserError(f"{path}: its config lacks the size that the model was trained at")
    model = get_model(config.without_pretrained(), size, colors_in(state))
    return fill_weights(path, model, state)


def colors_in(state: StateDict) -> tuple[Tensor, Tensor] | None:
    """(centres, weights) of the colours that the model of a file names, if it does."""
    return (state["centres"], state["weights"]) if {"centres", "weights"} <= set(state) else None


def to_onnx(model: Colorizer) -> tuple[nn.Module, dict[str, int]]:
    """The model, and what an ONNX file says of it."""
    return model, {"size": model.size}
