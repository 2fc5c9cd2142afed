"""One file that holds a whole model: safetensors weights, and in its metadata the task and the config that rebuild it.

Reading it runs no code from the file. Weight and spectral norm are folded into plain weights first: they matter only
while training, and a model without them is smaller, faster, and can be pickled.
"""

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import safetensors.torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn.utils import parametrize

from common.config.mistakes import explain_mistakes
from common.config.section import Section
from common.models.format_2 import with_new_names
from common.models.weights import StateDict
from common.runtime.errors import UserError
from common.runtime.files import atomic_write

FORMAT_VERSION = 3
METADATA_KEY = "perceptual-enhance"
PICKLE_SUFFIXES = (".pkl", ".pickle", ".pth", ".pt", ".ckpt", ".bin")

Model = TypeVar("Model", bound=nn.Module)
SectionType = TypeVar("SectionType", bound=Section)


def fold_norms(model: Model) -> Model:
    """Replaces weight and spectral norm by the weights they make, in place; returns the model, in eval mode.

    In eval mode the weights are computed without changing the norm's state.
    """
    model.eval()
    for module in list(model.modules()):
        for name in parametrized(module):
            parametrize.remove_parametrizations(module, name)
    return model


def parametrized(module: nn.Module) -> list[str]:
    """The parameters of a module that others make: by a norm, or a condition on them."""
    return [name for name in ("weight", "bias") if parametrize.is_parametrized(module, name)]


def folded_state_dict(model: nn.Module) -> StateDict:
    """The state dict that `model` would have after `fold_norms`, without changing the model."""
    state = {name: value for name, value in model.state_dict().items() if ".parametrizations." not in f".{name}"}
    was_training = model.training
    model.eval()  # in train mode, reading a spectral weight would take another step of its power iteration
    for name, module in model.named_modules():
        for key in parametrized(module):
            state[f"{name}.{key}"] = cast(Tensor, getattr(module, key)).detach()
    model.train(was_training)
    return state


def write_model_file(path: Path, model: nn.Module, task: str, config: Mapping[str, Any]) -> None:
    """Writes `model` as a model file. task: the package's name; config: what rebuilds the model, as JSON values.

    The file is written whole or not at all.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in folded_state_dict(model).items()}
    header = {"format_version": FORMAT_VERSION, "task": task, "config": config}
    metadata = {METADATA_KEY: json.dumps(header)}  # one entry: safetensors writes several in random order
    # Not save_file: it makes a temporary file of its own, which stays if the process is killed.
    with atomic_write(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(state, metadata))


def read_model_file(path: Path, task: str) -> tuple[dict[str, Any], StateDict]:
    """(config, weights on the CPU) of a model file of `task`.

    Raises UserError if the file is missing, is not a model file, or is of another task or a newer version.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such model file")
    if path.suffix.lower() == ".onnx":
        raise UserError(f"{path}: an ONNX file, which predict and gallery run; give the model.safetensors it came from")
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise UserError(
            f"{path}: a pickle, and opening one can run any code that somebody put into it. Give the model.safetensors "
            "that training wrote beside it; or, if you know who made an export.pkl, predict with --trust-pickle"
        )
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no iterator)
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{path}: not a complete .safetensors file ({error}). Give the model.safetensors that training wrote."
        ) from None
    header = read_metadata(path, metadata)
    if header["format_version"] > FORMAT_VERSION:
        raise UserError(
            f"{path}: written by a newer version (format {header['format_version']}, this program reads "
            f"{FORMAT_VERSION}): update the program"
        )
    if header["task"] != task:
        raise UserError(f"{path}: a model for {header['task']}, not for {task}: use python -m {header['task']}.predict")
    return header["config"], with_new_names(state)


def has_no_metadata(path: Path) -> bool:
    """Whether a file is complete as .safetensors, but has not what `write_model_file` writes beside the weights."""
    try:
        with safe_open(path, framework="pt") as file:
            return METADATA_KEY not in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False


def read_metadata(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """{'format_version', 'task', 'config'} from a file's metadata. Raises UserError if they are not there."""
    try:
        header = json.loads(metadata[METADATA_KEY])
        return {
            "format_version": int(header["format_version"]),
            "task": str(header["task"]),
            "config": dict(header["config"]),
        }
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{path}: a .safetensors file, but not one of our model files (no config in it)") from None


def validate_section(path: Path, section_class: type[SectionType], values: Any) -> SectionType:
    """A section of a model file's config, as a `section_class`. Raises UserError if it does not fit."""
    try:
        return section_class.model_validate(values)
    except ValidationError as error:
        mistakes = explain_mistakes(section_class, values, error.errors(), "config", {})
        raise UserError(f"{path}: its config does not fit this version of the program: {mistakes[0]}") from None


def fill_weights(path: Path, model: Model, state: StateDict) -> Model:
    """Loads the weights of a model file into a newly built model; returns the model, norms folded, in eval mode.

    Raises UserError if they do not fit, or are no finite numbers.
    """
    model = fold_norms(model)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(
            f"{path}: its weights do not fit the model that its config describes: {shorten(error)}"
        ) from None
    if not all(weights.isfinite().all() for weights in model.parameters()):
        raise UserError(f"{path}: some of its weights are infinite or not numbers; it is broken, or its training was")
    return model


def shorten(error: Exception) -> str:
    """The beginning of an error's message, on one line: torch lists every key."""
    return textwrap.shorten(str(error), width=160, placeholder=" ...")
