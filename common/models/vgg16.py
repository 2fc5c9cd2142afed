"""The loss network: VGG16 (Simonyan & Zisserman 2014, arXiv 1409.1556), frozen, cut after the deepest layer in use."""

import logging

import torch
from torch import nn
from torchvision.models import VGG16_Weights
from torchvision.models.vgg import cfgs, make_layers

from common.models.weights import read_weights_file
from common.runtime.errors import UserError

log = logging.getLogger(__name__)

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


KERNELS = ([1.0, 2.0, 1.0], [-1.0, 0.0, 1.0], [1.0, -2.0, 1.0])  # across: smooth, edge, line


def name_layers(layers):
    """Yields (name, layer) with the papers' names: conv1_1, relu1_1, ..., pool5."""
    block, number = 1, 1
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            yield f"conv{block}_{number}", layer
        elif isinstance(layer, nn.ReLU):
            yield f"relu{block}_{number}", layer
            number += 1
        else:
            yield f"pool{block}", layer
            block, number = block + 1, 1


class VGG16Features(nn.Module):
    """(N, 3, H, W) RGB in [0, 1] -> {layer name: activation (N, C, H / 2**k, W / 2**k)}, after the ReLU, in float32.

    Under autocast the convolutions work in half precision.

    layers: names from `relu1_1` to `relu5_3`. weights: 'torchvision' (ImageNet, downloaded once and cached),
    'random' (seeded, the same every time), or a .pth or .safetensors file in torchvision's layout.
    key: what messages call the weights. Raises UserError if they cannot be had.
    """

    def __init__(self, layers, weights="torchvision", key="loss.vgg"):
        super().__init__()
        self.wanted = set(layers)
        vgg = make_layers(cfgs["D"])
        load_vgg_weights(vgg, weights, key)
        named = list(name_layers(vgg))
        deepest = max(i for i, (name, _) in enumerate(named) if name in self.wanted)
        self.layers = nn.Sequential()
        for name, layer in named[: deepest + 1]:
            self.layers.add_module(name, layer)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(IMAGENET_STD)[:, None, None])
        self.requires_grad_(False).eval()

    def train(self, mode=True):
        return super().train(False)

    def forward(self, image):
        x = (image - self.mean) / self.std
        features = {}
        for name, layer in self.layers.named_children():
            x = layer(x)
            if name in self.wanted:
                features[name] = x.float()
        return features


def load_vgg_weights(vgg, weights, key):
    """Fills torchvision's VGG16 convolutions in place from 'torchvision', 'random' or a file."""
    if weights == "random":
        log.warning(
            "WARNING: %s = random: the VGG16 has random weights, so what it compares is random filters, not what "
            "ImageNet taught. Good enough to try the program, not to judge a loss.",
            key,
        )
        init_random_filters(vgg)
        return
    prefix = "features."
    state = read_weights_file(weights, key, VGG16_Weights.IMAGENET1K_V1)
    state = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    try:
        vgg.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(f"{key} = {weights}: not a VGG16 in torchvision's layout (features.0.weight ...)") from error


@torch.no_grad()
def init_random_filters(vgg):
    """Fills the convolutions in place by chance, seeded, so that textures show; plain noise sees blots only.

    Every other filter mixes its inputs and looks at the mix through one kernel that smooths or finds edges or lines
    (in the first layer all smooth, for colours); the rest look at each input through a kernel of their own, of sum 0.
    That random filters tell textures apart: Ustyuzhaninov et al. 2017 (arXiv 1606.00021).
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
            own = torch.randn(n_out, n_in, 3, 3, generator=generator)
            own = own - own.mean(dim=(2, 3), keepdim=True)
            odd = torch.arange(n_out)[:, None, None, None] % 2 == 1
            kernels = torch.where(odd, own, shared)
            kernels = kernels / kernels.flatten(2).norm(dim=2)[..., None, None]
            mixes = torch.randn(n_out, n_in, 1, 1, generator=generator) * (2 / n_in) ** 0.5
            layer.weight.copy_(mixes * kernels)
            layer.bias.zero_()
    torch.nn.init.normal_(vgg[0].bias, generator=generator)  # ReLUs at several levels, so that colours tell apart
