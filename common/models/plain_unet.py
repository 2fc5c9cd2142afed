"""A U-Net as plain layers, for exports: fastai's keeps its skips in hooks, which no exporter follows."""

from typing import TypeVar, cast

import torch
import torch.nn.functional as F
from fastai.layers import MergeLayer
from fastai.vision.models.unet import ResizeToOrig, UnetBlock
from torch import Tensor, nn

from common.models.unet import UNET_STRIDE, Unet

Model = TypeVar("Model", bound=nn.Module)


class PlainUnet(nn.Module):
    """The layers of a Unet, and its numbers, without hooks: (N, 3, H, W) -> (N, n_out, upscale * H, upscale * W)."""

    mean: Tensor
    std: Tensor

    def __init__(self, unet: Unet) -> None:
        super().__init__()
        self.upscale, self.last, self.shuffle = unet.upscale, unet.last, unet.shuffle
        self.register_buffer("mean", unet.mean)
        self.register_buffer("std", unet.std)
        encoder, *layers = unet.net.layers
        self.encoder = cast(nn.Sequential, encoder)
        self.layers = nn.ModuleList(layers)
        self.skips = [find_hooked(self.encoder, block.hook.hook.id) for block in layers if isinstance(block, UnetBlock)]

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        x = (x - self.mean) / self.std
        x = original = F.pad(x, (0, -width % UNET_STRIDE, 0, -height % UNET_STRIDE), mode="replicate")
        outputs: list[Tensor] = []
        for layer in self.encoder:
            x = layer(x)
            outputs.append(x)
        skips = iter(outputs[i] for i in self.skips)
        for layer in self.layers:
            if isinstance(layer, UnetBlock):
                x = layer.relu(torch.cat([layer.shuf(x), layer.bn(next(skips))], dim=1))
                x = layer.conv2(layer.conv1(x))
            elif isinstance(layer, MergeLayer):
                x = torch.cat([x, original], dim=1)
            elif not isinstance(layer, ResizeToOrig):  # the sizes fit: all are multiples of UNET_STRIDE
                x = layer(x)
        return self.shuffle(self.last(x))[..., : height * self.upscale, : width * self.upscale]


def find_hooked(encoder: nn.Sequential, hook_id: int) -> int:
    """The index of the encoder's layer that has this forward hook."""
    return next(i for i, layer in enumerate(encoder) if hook_id in layer._forward_hooks)


def without_hooks(model: Model) -> Model:
    """Replaces each Unet in a model by its PlainUnet, in place; returns the model."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Unet):
                setattr(parent, name, PlainUnet(child))
    return model
