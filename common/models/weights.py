"""Weights of torchvision's networks: downloaded, from torch's cache, or from a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError

import safetensors.torch
import torch
from torch import Tensor

from common.runtime.errors import UserError

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

StateDict = dict[str, Tensor]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of what they were trained on


def read_weights_file(
    weights: str, key: str, torchvision: "WeightsEnum", words: Sequence[str] = ("torchvision", "random")
) -> StateDict:
    """The state dict of `weights`: one of `words` for the enum member `torchvision`, or a .pth or .safetensors file.

    Runs no code from files. key: the setting or option that messages name. Raises UserError if the weights cannot be
    read or downloaded.
    """
    path = Path(weights).expanduser()
    if weights not in words and not path.is_file():
        known = "".join(f"'{word}', " for word in words)
        raise UserError(f"{key} = {path}: no such file. Give {known}{'or ' * bool(words)}an existing weights file.")
    try:
        if weights in words:
            return dict(torchvision.get_state_dict(progress=True, check_hash=True, weights_only=True))
        if path.suffix.lower() == ".safetensors":
            return safetensors.torch.load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
        if not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()):
            raise TypeError("holds something else than a state dict")
        return dict(state)
    except URLError as error:
        name = type(torchvision).__name__.removesuffix("_Weights")
        raise UserError(
            f"{key} = {weights}: the weights of {name} could not be downloaded ({error.reason}). Offline, "
            f"set {key} to a .pth or .safetensors file in torchvision's layout; or do without: to train, set loss.vgg "
            "to 'random' just to try the program, or remove the features and gram terms."
        ) from error
    except Exception as error:  # torch raises many kinds of exceptions for broken files
        if weights in words:
            raise UserError(
                f"{key} = {weights}: the downloaded file is broken; delete {Path(torchvision.url).name} in "
                f"{torch.hub.get_dir()}/checkpoints"
            ) from error
        # Not torch's own message: for a .pth file it advises running the code inside.
        raise UserError(
            f"{key} = {path}: cannot be read as a file of weights. Give a .safetensors file, or a .pth file "
            "that holds a state dict and nothing else."
        ) from error


def is_cached(weights: "WeightsEnum") -> bool:
    """Whether torch's cache holds these weights of torchvision's."""
    return (Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name).is_file()
