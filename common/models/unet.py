"""The ResNet U-Net of lesson 7: fastai's `DynamicUnet` over a torchvision ResNet, with skips that one can follow.

The encoder halves the picture five times; the decoder doubles it as often, by ICNR pixel shuffles, and is given each
time what the encoder saw at that size.
"""

from collections import OrderedDict
from pathlib import Path
from typing import Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from common.config.sections import UNET_STRIDE, ModelConfig
from common.models.attention import SelfAttention
from common.models.encoder import get_resnet
from common.models.even import even_bias, even_kernels
from common.models.weights import IMAGENET_MEAN, IMAGENET_STD

SKIPS = ("relu", "layer1", "layer2", "layer3")  # the encoder's last layers at 1/2, 1/4, 1/8 and 1/16 of the size


class Unet(nn.Module):
    """(N, 3, H, W) in [0, 1] -> (N, n_out, upscale * H, upscale * W), for any H and W.

    The last convolution starts at zero, so a new network returns exactly 0: add its output to a first guess.

    encoder: name of a torchvision ResNet. pretrained: use torchvision's ImageNet weights (downloaded once), or those
    of a .pth or .safetensors file in its layout.
    norm: of the decoder's convolutions, 'batch', 'weight', 'spectral' or 'none'.
    attention: one self-attention block, at 1/8 of the size. blur: average after the decoder's pixel shuffles, against
    checkerboards.
    upscale: done by a pixel shuffle at the very end, so that everything before it works at the input's size.

    The encoder's and the skip connections' BatchNorm never uses or updates batch statistics: they stay as pretrained,
    or at mean 0 and variance 1. Otherwise eval mode would see other statistics than training and drift.
    Raises UserError if pretrained weights can neither be read nor downloaded.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        encoder: str,
        n_out: int = 3,
        pretrained: bool | Path = True,
        norm: str = "spectral",
        attention: bool = True,
        blur: bool = True,
        upscale: int = 1,
    ) -> None:
        super().__init__()
        self.upscale = upscale
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD)[:, None, None], persistent=False)
        resnet = get_resnet(encoder, pretrained)
        n, batch = resnet.fc.in_features, norm == "batch"
        self.encoder = nn.Sequential(OrderedDict(list(resnet.named_children())[:-2]))  # without pooling and classifier
        self.bn = batch_norm(n)
        self.middle = nn.Sequential(conv_layer(n, 2 * n, batch), conv_layer(2 * n, n, batch))
        self.blocks = nn.ModuleList()
        for n_skip in (n // 2, n // 4, n // 8, resnet.conv1.out_channels):
            n_cat = n // 2 + n_skip
            n_block = n_cat // 2 if len(self.blocks) == 3 else n_cat
            with_attention = attention and len(self.blocks) == 1
            self.blocks.append(UnetBlock(n, n_skip, n_block, batch, blur, with_attention))
            n = n_block
        self.shuf = shuffle(n, n, batch)
        self.res = ResBlock(n + 3, batch)
        add_norm(nn.ModuleList([self.middle, self.blocks, self.shuf, self.res]), norm)
        self.last = EvenConv(n + 3, n_out, upscale)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)
        self.train()

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        x = (x - self.mean) / self.std
        x = picture = F.pad(x, (0, -width % UNET_STRIDE, 0, -height % UNET_STRIDE), mode="replicate")
        skips: list[Tensor] = []
        for name, layer in self.encoder.named_children():
            x = layer(x)
            if name in SKIPS:
                skips.append(x)
        x = self.middle(self.bn(x).relu())  # at 1/32 of the size
        for block, skip in zip(self.blocks, reversed(skips), strict=True):
            x = block(x, skip)
        x = self.res(torch.cat([self.shuf(x), picture], dim=1))
        x = F.pixel_shuffle(self.last(x), self.upscale)
        return x[..., : height * self.upscale, : width * self.upscale]

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for norm in self.frozen_batch_norms():
            norm.eval()
        return self

    def frozen_batch_norms(self) -> list[nn.BatchNorm2d]:
        """The BatchNorm layers whose statistics never change: the encoder's, the one after it, the skips'."""
        skips = [block.bn for block in self.blocks]
        return [m for m in (*self.encoder.modules(), self.bn, *skips) if isinstance(m, nn.BatchNorm2d)]


def get_unet(config: ModelConfig, n_out: int = 3, upscale: int = 1) -> Unet:
    """A Unet as a config's section describes it."""
    return Unet(config.encoder, n_out, config.pretrained, config.norm, config.attention, config.blur, upscale)


class UnetBlock(nn.Module):
    """(N, n_in, H, W) and the encoder's (N, n_skip, 2 H, 2 W) -> (N, n_out, 2 H, 2 W)."""

    def __init__(self, n_in: int, n_skip: int, n_out: int, batch: bool, blur: bool, attention: bool) -> None:
        super().__init__()
        self.shuf = shuffle(n_in, n_in // 2, batch)
        if blur:
            self.shuf.append(Blur())
        self.bn = batch_norm(n_skip)
        self.conv1 = conv_layer(n_in // 2 + n_skip, n_out, batch)
        self.conv2 = conv_layer(n_out, n_out, batch)
        if attention:
            self.conv2.append(SelfAttention(n_out))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = torch.cat([self.shuf(x), self.bn(skip)], dim=1).relu()
        return self.conv2(self.conv1(x))


class Blur(nn.Module):
    """Each pixel's mean with those to the left, above, and above to the left, as far as they are in the picture.

    As fastai's, which repeats the border for it: a copy of everything, whose gradient torch.compile gets wrong.
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 2, stride=1, padding=1, count_include_pad=False)[..., :-1, :-1]


class ResBlock(nn.Module):
    """(N, n, H, W) + two convolutions of it, whose last BatchNorm, if any, starts at zero."""

    def __init__(self, n: int, batch: bool) -> None:
        super().__init__()
        last = conv_layer(n, n, batch)[:-1]
        for norm in last:
            if isinstance(norm, nn.BatchNorm2d):
                nn.init.zeros_(norm.weight)
        self.convpath = nn.Sequential(conv_layer(n, n, batch), last)

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.convpath(x)).relu()


def conv_layer(n_in: int, n_out: int, batch: bool, size: int = 3) -> nn.Sequential:
    """A convolution, a BatchNorm if wanted, a ReLU; initialised as fastai's U-Net is."""
    conv = nn.Conv2d(n_in, n_out, size, padding=size // 2, bias=not batch)
    nn.init.kaiming_normal_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return nn.Sequential(conv, *([batch_norm(n_out)] if batch else []), nn.ReLU())


def batch_norm(n: int) -> nn.BatchNorm2d:
    """A BatchNorm that starts as fastai's."""
    norm = nn.BatchNorm2d(n)
    nn.init.constant_(norm.bias, 1e-3)
    return norm


def shuffle(n_in: int, n_out: int, batch: bool) -> nn.Sequential:
    """(N, n_in, H, W) -> (N, n_out, 2 H, 2 W): a 1 x 1 convolution, a ReLU and a pixel shuffle.

    At the start the four pixels that are shuffled from one place are equal: ICNR (Aitken et al. 2017, arXiv
    1707.02937).
    """
    layer = conv_layer(n_in, 4 * n_out, batch, size=1)
    weight = cast(nn.Conv2d, layer[0]).weight
    with torch.no_grad():
        weight.copy_(weight[::4].repeat_interleave(4, dim=0))
    return nn.Sequential(layer, nn.PixelShuffle(2))


class EvenConv(nn.Conv2d):
    """The 3 x 3 convolution before a pixel shuffle, (N, in, H, W) -> (N, out * upscale**2, H, W), kept even."""

    def __init__(self, in_channels: int, out_channels: int, upscale: int) -> None:
        super().__init__(in_channels, out_channels * upscale**2, kernel_size=3, padding=1)
        self.upscale = upscale

    def forward(self, input: Tensor) -> Tensor:
        if self.upscale == 1 or self.bias is None:
            return super().forward(input)
        n = self.upscale**2
        return F.conv2d(input, even_kernels(self.weight, n), even_bias(self.bias, n), padding=1)


def add_norm(network: nn.Module, norm: str) -> None:
    """Gives every Conv2d of `network` weight or spectral norm, in place; 'batch' and 'none' change nothing here."""
    apply_norm = {"weight": weight_norm, "spectral": spectral_norm}.get(norm)
    for module in list(network.modules()):
        if apply_norm and isinstance(module, nn.Conv2d):
            apply_norm(module)


def parameter_groups(model: nn.Module) -> list[list[nn.Parameter]]:
    """[the encoder's parameters, the rest] of a model that has a Unet: for freezing and separate learning rates.

    [all that are trained] of a model without one.
    """
    unet = next((module for module in model.modules() if isinstance(module, Unet)), None)
    if unet is None:
        return [[parameter for parameter in model.parameters() if parameter.requires_grad]]
    encoder = list(unet.encoder.parameters())
    encoder_ids = {id(parameter) for parameter in encoder}
    return [encoder, [parameter for parameter in model.parameters() if id(parameter) not in encoder_ids]]
