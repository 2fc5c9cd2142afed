"""Weights of torchvision's networks: downloaded, from torch's cache, or from a file."""

from pathlib import Path
from urllib.error import URLError

import safetensors.torch
import torch
from torch import Tensor
from torchvision.models import WeightsEnum

from common.runtime.errors import UserError

StateDict = dict[str, Tensor]


def read_weights_file(weights: str, key: str, torchvision: WeightsEnum) -> StateDict:
    """The state dict of `weights`: 'torchvision' for the enum member `torchvision`, or a .pth or .safetensors file.

    Runs no code from files. key: the setting or option that messages name. Raises UserError if the weights cannot be
    read or downloaded.
    """
    path = Path(weights).expanduser()
    if weights != "torchvision" and not path.is_file():
        raise UserError(f"{key} = {path}: no such file. Give 'torchvision', 'random', or an existing weights file.")
    try:
        if weights == "torchvision":
            return dict(torchvision.get_state_dict(progress=True, check_hash=True, weights_only=True))
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except URLError as error:
        name = type(torchvision).__name__.removesuffix("_Weights")
        raise UserError(
            f"{key} = torchvision: the weights of {name} could not be downloaded ({error.reason}). Offline, "
            f"set {key} to a .pth or .safetensors file in torchvision's layout; or do without: to train, set loss.vgg "
            "to 'random' just to try the program, or remove the features and gram terms."
        ) from error
    except Exception as error:  # torch raises many kinds of exceptions for broken files
        if weights == "torchvision":
            raise UserError(
                f"{key} = torchvision: the downloaded file is broken; delete {Path(torchvision.url).name} in "
                f"{torch.hub.get_dir()}/checkpoints"
            ) from error
        # Not torch's own message: for a .pth file it advises running the code inside.
        raise UserError(
            f"{key} = {path}: cannot be read as a file of weights. Give a .safetensors file, or a .pth file "
            "that holds a state dict and nothing else."
        ) from error


def torchvision_if_cached(weights: WeightsEnum) -> str | None:
    """'torchvision' if torch's cache holds these torchvision weights, else None."""
    return "torchvision" if (Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name).is_file() else None
