"""LPIPS: a distance between pictures that weighs a network's channels as people judge them.

Zhang et al. 2018 (arXiv 1801.03924), version 0.1. The backbones are torchvision's, the weights of their channels those
that torchmetrics ships.
"""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple, Self, cast

import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import AlexNet_Weights, SqueezeNet1_1_Weights, WeightsEnum

from common.models.weights import IMAGENET_MEAN, IMAGENET_STD, StateDict, read_weights_file
from common.runtime.errors import UserError

NetName = Literal["alex", "squeeze"]


class Backbone(NamedTuple):
    """A network of torchvision's, the ReLUs of its `features` that are compared, and what its layers are called."""

    model: str
    weights: WeightsEnum
    relus: tuple[int, ...]
    title: str


BACKBONES: dict[NetName, Backbone] = {
    "alex": Backbone("alexnet", AlexNet_Weights.IMAGENET1K_V1, (1, 4, 7, 9, 11), "AlexNet"),
    "squeeze": Backbone("squeezenet1_1", SqueezeNet1_1_Weights.IMAGENET1K_V1, (1, 4, 7, 9, 10, 11, 12), "SqueezeNet"),
}


class LPIPS(nn.Module):
    """(pictures, target), each (1, 3, H, W) in [0, 1] -> a number for each picture. A frozen network.

    For batches there is `lpips_loss`; gradients go through both. weights: 'alex' or 'squeeze' for torchvision's,
    downloaded once, or a .pth or .safetensors file of either in its layout. `net` says which it is. key: the setting or
    option that messages name. Raises UserError if they cannot be read, or torchmetrics is not installed.
    """

    net: NetName
    mean: Tensor
    std: Tensor

    def __init__(self, weights: str, key: str = "--lpips") -> None:
        super().__init__()
        self.net, state = read_backbone(weights, key)
        backbone = BACKBONES[self.net]
        with torch.device("meta"):  # no memory, no random weights
            features = cast(nn.Sequential, torchvision.models.get_model(backbone.model).features)
        layers = features[: backbone.relus[-1] + 1]
        try:
            layers.load_state_dict(
                {name: state[f"features.{name}"].float() for name in layers.state_dict()}, assign=True
            )
        except (KeyError, RuntimeError) as error:
            raise UserError(
                f"{key} = {weights}: not an AlexNet or SqueezeNet 1.1 in torchvision's layout (features.0.weight ...)"
            ) from error
        self.layers, self.relus = layers, backbone.relus
        self.channel_weights = nn.ParameterList(read_channel_weights(self.net, len(self.relus), key))
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(IMAGENET_STD)[:, None, None])
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        return super().train(False)

    def forward(self, pictures: Sequence[Tensor], target: Tensor) -> list[Tensor]:
        return feature_distances(self.unit_activations, list(self.channel_weights), pictures, target)

    def unit_activations(self, picture: Tensor) -> list[Tensor]:
        """The activations (N, C, h, w) of each layer in float32, scaled to length 1 over the channels."""
        x, activations = (picture - self.mean) / self.std, []
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i in self.relus:
                full = x.float()
                activations.append(full * (full.square().sum(dim=1, keepdim=True) + 1e-8).rsqrt())
        return activations


def lpips_loss(lpips: LPIPS, pred: Tensor, target: Tensor) -> Tensor:
    """(N,) LPIPS of pictures (N, 3, H, W) to (N or 1, 3, H, W), in [0, 1]; 0 for equal ones."""
    return weighted_distance(list(lpips.channel_weights), lpips.unit_activations(pred), lpips.unit_activations(target))


def feature_distances(
    get_activations: Callable[[Tensor], Sequence[Tensor]],
    weights: Sequence[Tensor | float],
    pictures: Sequence[Tensor],
    target: Tensor,
) -> list[Tensor]:
    """The `weighted_distance` of each of `pictures` to the target, a number; each (1, 3, H, W) in [0, 1]."""
    target_activations = get_activations(target)
    return [weighted_distance(weights, get_activations(picture), target_activations).mean() for picture in pictures]


def weighted_distance(weights: Sequence[Tensor | float], pred: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
    """(N,) distance of the activations (N, C, h, w) of layers, 0 if they are equal.

    Squared differences, times the weights of a layer, one or (C, 1, 1), are summed over the channels, averaged over the
    pixels, and summed over the layers.
    """
    triples = zip(weights, pred, target, strict=True)
    layers = [(weight * (ours - theirs).square()).sum(dim=1).mean(dim=(1, 2)) for weight, ours, theirs in triples]
    return cast(Tensor, sum(layers))  # not the int 0: there are layers


def read_backbone(weights: str, key: str) -> tuple[NetName, StateDict]:
    """(which network, its state dict) of LPIPS's `weights`. Raises UserError if they cannot be read."""
    choice: NetName | None = "alex" if weights == "alex" else "squeeze" if weights == "squeeze" else None
    download = BACKBONES[choice or "alex"].weights
    state = read_weights_file(weights, key, download, words=("alex", "squeeze"))
    return choice or ("squeeze" if "features.3.squeeze.weight" in state else "alex"), state


def read_channel_weights(net: NetName, n_layers: int, key: str) -> list[Tensor]:
    """(C, 1, 1) of each layer, from the files of torchmetrics. Raises UserError if it is not installed."""
    state = read_torchmetrics_file(f"lpips_models/{net}.pth", key)
    return [state[f"lin{i}.model.1.weight"][0] for i in range(n_layers)]


def read_torchmetrics_file(name: str, key: str) -> StateDict:
    """A file of learned weights that torchmetrics ships. Raises UserError if it is not installed."""
    package = find_spec("torchmetrics")
    if package is None or not package.submodule_search_locations:
        raise UserError(f"{key}: needs the package torchmetrics: pip install torchmetrics")
    path = Path(package.submodule_search_locations[0]) / "functional/image" / name
    return torch.load(path, map_location="cpu", weights_only=True)
