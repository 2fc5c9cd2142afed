"""One file that holds a whole model: safetensors weights, and in its metadata the task and the config that rebuild it.

Reading it runs no code from the file. Weight and spectral norm are folded into plain weights first: they matter only
while training, and a model without them is smaller, faster, and can be pickled.
"""

import json
import textwrap
from pathlib import Path

import safetensors.torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from torch.nn.utils import parametrize

from common.runtime.errors import UserError
from common.runtime.files import atomic_write

FORMAT_VERSION = 2
METADATA_KEY = "perceptual-enhance"
PICKLE_SUFFIXES = (".pkl", ".pickle", ".pth", ".pt", ".ckpt", ".bin")


def fold_norms(model):
    """Replaces weight and spectral norm by the weights they make, in place (eval mode keeps them as they are)."""
    model.eval()
    for module in list(model.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
    return model


def folded_state_dict(model):
    """The state dict that `model` would have after `fold_norms`, without touching the model."""
    state = {name: value for name, value in model.state_dict().items() if ".parametrizations." not in f".{name}"}
    was_training = model.training
    model.eval()  # in train mode, reading a spectral weight would take another step of its power iteration
    for name, module in model.named_modules():
        if parametrize.is_parametrized(module, "weight"):
            state[f"{name}.weight"] = module.weight.detach()
    model.train(was_training)
    return state


def write_model_file(path, model, task, config):
    """Writes `model` as a model file. task: the package's name; config: what rebuilds it, as JSON values.

    The file is written whole or not at all.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in folded_state_dict(model).items()}
    about = {"format_version": FORMAT_VERSION, "task": task, "config": config}
    metadata = {METADATA_KEY: json.dumps(about)}  # one entry: safetensors writes several in random order
    # Not with save_file, which makes a temporary file of its own: it stays if the process is killed.
    with atomic_write(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(state, metadata))


def read_model_file(path, task):
    """(config as a dict, weights on the CPU) of a model file of `task`.

    Raises UserError if the file is missing, is no model file, is of another task or of a newer version.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such model file")
    if path.suffix in PICKLE_SUFFIXES:
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
    about = read_metadata(path, metadata)
    if about["format_version"] > FORMAT_VERSION:
        raise UserError(
            f"{path}: written by a newer version (format {about['format_version']}, this program reads "
            f"{FORMAT_VERSION}): update the program"
        )
    if about["task"] != task:
        raise UserError(f"{path}: a model for {about['task']}, not for {task}: use python -m {about['task']}.predict")
    return about["config"], state


def read_metadata(path, metadata):
    """{'format_version', 'task', 'config'} from a file's metadata. Raises UserError if they are not there."""
    try:
        if "format_version" in metadata:  # format 1 had an entry for each
            version, config = int(metadata["format_version"]), json.loads(metadata["config"])
            return {"format_version": version, "task": metadata["task"], "config": config}
        about = json.loads(metadata[METADATA_KEY])
        return {"format_version": int(about["format_version"]), "task": str(about["task"]), "config": about["config"]}
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{path}: a .safetensors file, but not one of our model files (no config in it)") from None


def shorten(error):
    """The beginning of a message that lists every key, on one line."""
    return textwrap.shorten(str(error), width=160, placeholder=" ...")


def validate_section(path, section, values):
    """The config section of a model file, checked as `section`, a `common.config.sections.Section`. Raises UserError."""
    try:
        return section.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{path}: its config does not fit this version of the program: {shorten(error)}") from None


def fill_weights(path, model, state):
    """Puts the weights of a model file into a freshly built model; returns it, norms folded, in eval mode."""
    model = fold_norms(model)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(
            f"{path}: its weights do not fit the model that its config describes: {shorten(error)}"
        ) from None
    return model
