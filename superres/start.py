"""Training on from anybody's model: what a file that spandrel opens says of its network, and its weights."""

import inspect
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from safetensors import SafetensorError, safe_open

from common.models.model_file import read_model_file, validate_section
from common.models.weights import StateDict
from common.runtime.errors import UserError
from superres.config import KEYS, Config, SuperresModelConfig
from superres.files import NAME, is_of_others, read_data_section

log = logging.getLogger(__name__)

TOLD = ("author", "license", "licence", "modelspec.author", "modelspec.license", "modelspec.title")  # of metadata


def take_over(config: Config) -> Config:
    """The config with the network and the scale of the file that it starts from.

    Another program's: what the config says of them itself must be the same. Ours: they are taken where the config says
    nothing of its network; a scale that it gives is kept. Raises UserError if they differ, or the file cannot be used.
    """
    path = config.train.start_from and config.train.start_from.expanduser()
    if path is None or not path.exists():
        return config
    if not is_of_others(path):
        return take_over_ours(config, path)
    network, scale = read_network(path)
    given: dict[str, Any] = {"data.scale": config.data.scale} if "scale" in config.data.model_fields_set else {}
    keys = config.model.model_fields_set & {"network", *KEYS["spandrel"]}  # others mean nothing here
    given |= {f"model.{key}": getattr(config.model, key) for key in keys}
    theirs = {"data.scale": scale, **{f"model.{key}": value for key, value in network.model_dump().items()}}
    if "model.options" in given:
        given["model.options"] = without_defaults(network.architecture or "", config.model.options)
    for key, value in given.items():
        if key != "model.even" and value != theirs[key]:
            raise UserError(f"{key} = {value}: {path} has {theirs[key]}; leave it out, or start from another model")
    network = network.model_copy(update={"even": config.model.even})
    values = config.model_dump() | {"model": network.model_dump(), "data": config.data.model_dump() | {"scale": scale}}
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{path}, {scale}x: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None


def take_over_ours(config: Config, path: Path) -> Config:
    """The config with the network of one of our model files, unless it describes one itself."""
    if config.model.model_fields_set - {"even"}:
        return config
    values, _ = read_model_file(path, NAME)
    network = validate_section(path, SuperresModelConfig, values.get("model"))
    network = network.without_pretrained() if network.has_encoder else network
    if "even" in config.model.model_fields_set:
        network = network.model_copy(update={"even": config.model.even})
    data = config.data
    if "scale" not in data.model_fields_set:
        data = data.model_copy(update={"scale": read_data_section(path, values).scale})
    return Config.model_validate(config.model_dump() | {"model": network.model_dump(), "data": data.model_dump()})


def read_network(path: Path) -> tuple[SuperresModelConfig, int]:
    """(the section `model`, the scale) of the network in a file. Raises UserError if it cannot be trained here."""
    from superres.architectures import CHANNELS, SCALES, find_architectures, plain  # spandrel takes a second to import
    from superres.community import load_descriptor
    from superres.fused import find_layers

    descriptor = load_descriptor(path)
    kind = type(descriptor.model)
    name = next((name for name, each in find_architectures().items() if each is kind), None)
    if name is None:
        raise UserError(f"train.start_from = {path}: {descriptor.architecture.name}, which cannot be trained here")
    read = getattr(descriptor.model, "hyperparameters", {})
    known = {key: plain(value) for key, value in read.items() if key not in (*SCALES, *CHANNELS)}
    options = without_defaults(name, {key: known[key] for key in known.keys() & inspect.signature(kind).parameters})
    fused = bool(find_layers(descriptor.model))
    model = SuperresModelConfig(network="spandrel", architecture=name, options=options, fused=fused)
    return model, descriptor.scale


def without_defaults(architecture: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that its constructor would not choose by itself, in order."""
    from superres.architectures import find_architectures, plain

    kind = find_architectures().get(architecture)
    parameters = inspect.signature(kind).parameters if kind is not None else {}
    return {
        key: value
        for key, value in sorted(options.items())
        if key not in parameters or plain(value) != plain(parameters[key].default)
    }


def read_weights(path: Path) -> StateDict:
    """The weights of `train.start_from`, by the names that they have in a SuperResolver. Raises UserError."""
    path = path.expanduser()
    if not is_of_others(path):
        return read_model_file(path, NAME)[1]
    from superres.community import load_descriptor
    from superres.fused import fuse

    network = fuse(load_descriptor(path).model)
    for key, value in read_told(path).items():
        log.info("start_from: %s: %s", key, value)
    return {f"unet.net.{name}": value for name, value in network.state_dict().items()}


def read_told(path: Path) -> dict[str, str]:
    """What a file says of its author and its licence."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError):
        return {}
    return {key: metadata[key] for key in TOLD if key in metadata}
