"""The layers of a U-Net's decoder, as fastai has them."""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from common.models.attention import SelfAttention
from common.models.even import even_bias, even_kernels

EIGHTS = 8  # numbers of channels are multiples of it where they are no longer fastai's


def thin(n: int, width: float) -> int:
    """So many channels, or a part of them."""
    return n if width == 1 else max(EIGHTS, round(n * width / EIGHTS) * EIGHTS)


class UnetBlock(nn.Module):
    """(N, n_in, H, W) and the encoder's (N, n_skip, 2 H, 2 W) -> (N, n_out, 2 H, 2 W).

    normed: whether the encoder's activations are about as large as the decoder's.
    """

    def __init__(
        self, n_in: int, n_skip: int, n_out: int, batch: bool, blur: bool, attention: bool, normed: bool
    ) -> None:
        super().__init__()
        self.shuf = shuffle(n_in, n_in // 2, batch)
        if blur:
            self.shuf.append(Blur())
        self.bn = batch_norm(n_skip) if normed else PixelNorm()
        self.conv1 = conv_layer(n_in // 2 + n_skip, n_out, batch)
        self.conv2 = conv_layer(n_out, n_out, batch)
        if attention:
            self.conv2.append(SelfAttention(n_out))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = torch.cat([self.shuf(x), self.bn(skip)], dim=1).relu()
        return self.conv2(self.conv1(x))


class PixelNorm(nn.Module):
    """(N, C, H, W) -> the same, its root mean square over the channels 1 at each pixel.

    Karras et al. 2018 (arXiv 1710.10196). The activations of a VGG16 without batch norm are some 4 at relu3_3 and .1 at
    relu5_3, which knows what is seen.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


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
