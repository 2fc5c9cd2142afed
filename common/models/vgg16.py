"""The loss network: VGG16 (Simonyan & Zisserman 2014, arXiv 1409.1556), frozen, cut after the deepest layer in use.

Or VGG19, of the same paper.
"""

import logging
from collections.abc import Iterable, Iterator
from typing import Literal, Self

import torch
from torch import Tensor, nn
from torchvision.models import VGG16_Weights, VGG19_Weights, WeightsEnum
from torchvision.models.vgg import cfgs, make_layers

from common.models.weights import IMAGENET_MEAN, IMAGENET_STD, read_weights_file
from common.runtime.errors import UserError

log = logging.getLogger(__name__)

VGGName = Literal["vgg16", "vgg19"]
VGGS: dict[VGGName, tuple[str, WeightsEnum]] = {  # torchvision's letter for the layers, and the weights
    "vgg16": ("D", VGG16_Weights.IMAGENET1K_V1),
    "vgg19": ("E", VGG19_Weights.IMAGENET1K_V1),
}
KERNELS = ([1.0, 2.0, 1.0], [-1.0, 0.0, 1.0], [1.0, -2.0, 1.0])  # across: smooth, edge, line


def name_layers(layers: Iterable[nn.Module]) -> Iterator[tuple[str, nn.Module]]:
    """Yields (name, layer) with the papers' names: conv1_1, relu1_1, ..., pool5."""
    block, index = 1, 1
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            yield f"conv{block}_{index}", layer
        elif isinstance(layer, nn.ReLU):
            yield f"relu{block}_{index}", layer
            index += 1
        else:
            yield f"pool{block}", layer
            block, index = block + 1, 1


class VGG16Features(nn.Module):
    """(N, 3, H, W) RGB in [0, 1] -> {layer name: activation (N, C, H / 2**k, W / 2**k)}, after the ReLU, in float32.

    Under autocast the convolutions work in half precision.

    layers: names from `relu1_1` to `relu5_3`, of VGG19 to `relu5_4`. weights: 'torchvision' (ImageNet, downloaded once
    and cached), 'random' (seeded, the same every time), or a .pth or .safetensors file in torchvision's layout.
    key: the setting or option that messages name. Raises UserError if the weights cannot be read or downloaded.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, layers: Iterable[str], weights: str = "torchvision", key: str = "loss.vgg", net: VGGName = "vgg16"
    ) -> None:
        super().__init__()
        self.layer_names = set(layers)
        vgg = make_layers(cfgs[VGGS[net][0]])
        load_vgg_weights(vgg, weights, key, net)
        named = list(name_layers(vgg))
        deepest = max(i for i, (name, _) in enumerate(named) if name in self.layer_names)
        self.layers = nn.Sequential()
        for name, layer in named[: deepest + 1]:
            self.layers.add_module(name, layer)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(IMAGENET_STD)[:, None, None])
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Self:
        return super().train(False)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        x = (image - self.mean) / self.std
        features: dict[str, Tensor] = {}
        for name, layer in self.layers.named_children():
            x = layer(x)
            if name in self.layer_names:
                features[name] = x.float()
        return features


def load_vgg_weights(vgg: nn.Sequential, weights: str, key: str, net: VGGName = "vgg16") -> None:
    """Fills torchvision's convolutions of a VGG in place from 'torchvision', 'random' or a file."""
    if weights == "random":
        warn_of_random_weights(net.upper(), key)
        init_random_filters(vgg)
        return
    prefix = "features."
    state = read_weights_file(weights, key, VGGS[net][1])
    state = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    try:
        vgg.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(
            f"{key} = {weights}: not a {net.upper()} in torchvision's layout (features.0.weight ...)"
        ) from error


def warn_of_random_weights(title: str, key: str) -> None:
    """title: what the network is called."""
    log.warning(
        "WARNING: %s = random: the %s has random weights, so it compares random filters, not features that "
        "were learned on ImageNet. Good enough to try the program, not to judge a loss.",
        key,
        title,
    )


@torch.no_grad()
def init_random_filters(vgg: nn.Sequential) -> None:
    """Fills the convolutions in place with seeded random filters that show textures; plain noise shows only blobs.

    Every other filter mixes its input channels and applies one kernel to the mix, which smooths or finds edges or lines
    (in the first layer all smooth, for colours). The others apply a random kernel of sum 0 to each input channel.
    Random filters can tell textures apart: Ustyuzhaninov et al. 2017 (arXiv 1606.00021).
    """
    generator = torch.Generator().manual_seed(0)
    smooth, edge, line = (torch.tensor([1.0, 2.0, 1.0]).outer(torch.tensor(k)) for k in KERNELS)
    for layer in vgg:
        if isinstance(layer, nn.Conv2d):
            n_out, n_in = layer.weight.shape[:2]
            angle = 2 * torch.pi * torch.rand(n_out, 1, 1, generator=generator)
            edges = angle.cos() * edge + angle.sin() * edge.T
            lines = angle.cos() ** 2 * line + angle.sin() ** 2 * line.T
            kind = torch.randint(4 if n_in > 3 else 1, (n_out, 1, 1), generator=generator)
            shared = torch.where(kind == 0, smooth, torch.where(kind == 1, lines, edges))[:, None]
            separate = torch.randn(n_out, n_in, 3, 3, generator=generator)
            separate = separate - separate.mean(dim=(2, 3), keepdim=True)
            is_odd = torch.arange(n_out)[:, None, None, None] % 2 == 1
            kernels = torch.where(is_odd, separate, shared)
            kernels = kernels / kernels.flatten(2).norm(dim=2)[..., None, None]
            mixes = torch.randn(n_out, n_in, 1, 1, generator=generator) * (2 / n_in) ** 0.5
            layer.weight.copy_(mixes * kernels)
    biases = [parameter for name, parameter in vgg.named_parameters() if name.endswith(".bias")]
    for bias in biases:
        bias.zero_()
    nn.init.normal_(biases[0], generator=generator)  # ReLUs at several levels, which tell colours apart
