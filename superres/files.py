"""Model files of super-resolution: ours, others', and what other programs run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from common.models.model_file import fill_weights, has_no_metadata, read_model_file, validate_section, write_model_file
from common.runtime.errors import UserError
from superres.config import Config, DataConfig, SuperresModelConfig
from superres.network import SuperResolver, get_model

NAME = "superres"  # of the task, in model files
COMMUNITY_SUFFIXES = (".pth", ".pt", ".ckpt")


def save_model(path: Path, model: nn.Module, config: Config) -> None:
    """Writes a model file: the weights, and what rebuilds the model and its input. No path of this machine is in it."""
    data = config.data.model_dump(mode="json", exclude={"path", "valid", "low", "cache"})
    network = config.model.model_dump(mode="json", exclude={"pretrained"})
    write_model_file(path, model, NAME, {"model": network, "data": data})


def load_model(path: Path) -> SuperResolver:
    """The SuperResolver of a model file, in eval mode on the CPU. Needs no network.

    Raises UserError if it is not a complete model file of this task.
    """
    values, state = read_model_file(path, NAME)
    config = validate_section(path, SuperresModelConfig, values.get("model"))
    data = read_data_section(path, values)
    try:
        model = get_model(config.without_pretrained(), data.scale)
    except UserError as error:
        raise UserError(f"{path}: its network cannot be built by this version of spandrel: {error}") from None
    return fill_weights(path, model, state)


def load_any_model(path: Path) -> SuperResolver:
    """`load_model`, and files of others that spandrel recognises: .pth, .pt, .ckpt, and .safetensors without a config.

    Raises UserError as `load_model` and `superres.community.load_community_model` do.
    """
    if not is_of_others(path):
        return load_model(path)
    from superres.community import load_community_model  # spandrel takes a second to import

    return load_community_model(path)


def is_of_others(path: Path) -> bool:
    """Whether a model file was not written by this program, by its name or its metadata."""
    suffix = path.suffix.lower()
    return suffix in COMMUNITY_SUFFIXES or (suffix == ".safetensors" and has_no_metadata(path))


def read_data_config(path: Path) -> DataConfig:
    """How the input of a model file's model was made from photos. Raises UserError as `load_model` does."""
    values, _ = read_model_file(path, NAME)
    return read_data_section(path, values)


def read_data_section(path: Path, values: Mapping[str, Any]) -> DataConfig:
    """The DataConfig of a model file's config. Older files say `blur` and `noise` in place of `degrade`."""
    data = dict(values.get("data") or {})
    blur, noise = data.pop("blur", 0), data.pop("noise", 0)
    if blur or noise:
        sides = {"blur": {"sigma": float(blur)} if blur else None, "noise": {"sigma": float(noise)} if noise else None}
        data["degrade"] = [sides]
    return validate_section(path, DataConfig, data)


def to_onnx(model: SuperResolver) -> tuple[nn.Module, dict[str, int]]:
    """The model as an exporter can follow it, and what an ONNX file says of it."""
    from superres.spandrel_export import with_plain_convolutions

    return with_plain_convolutions(model), {"scale": model.scale}


def export_spandrel(path: Path, model: SuperResolver) -> None:
    """Writes the plain weights of an architecture, which programs open that read files with spandrel."""
    from superres.spandrel_export import export_spandrel

    export_spandrel(path, model)
