"""The U-Net of lesson 7: fastai's `DynamicUnet` over a ResNet of torchvision's, with skips that one can follow.

The encoder halves the picture five times; the decoder doubles it as often, by ICNR pixel shuffles, and is given each
time what the encoder saw at that size.
"""

from pathlib import Path
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.config.sections import UNET_STRIDE, ModelConfig
from common.models.decoder import (
    EvenConv,
    PixelNorm,
    ResBlock,
    UnetBlock,
    add_norm,
    batch_norm,
    conv_layer,
    shuffle,
    thin,
)
from common.models.encoder import get_encoder
from common.models.weights import IMAGENET_MEAN, IMAGENET_STD


class Unet(nn.Module):
    """(N, 3, H, W) in [0, 1] -> (N, n_out, upscale * H, upscale * W), for any H and W.

    The last convolution starts at zero, so a new network returns exactly 0: add its output to a first guess.

    encoder: name of a torchvision ResNet, vgg16 or vgg16_bn. pretrained: use torchvision's ImageNet weights (downloaded
    once), or those of a .pth or .safetensors file in its layout.
    norm: of the decoder's convolutions, 'batch', 'weight', 'spectral' or 'none'.
    attention: one self-attention block, at 1/8 of the size. blur: average after the decoder's pixel shuffles, against
    checkerboards.
    upscale: done by a pixel shuffle at the very end, so that everything before it works at the input's size.
    width: channels of the decoder, as a part of fastai's. half: leave the last doubling out; the result has half the
    sides, rounded up.

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
        width: float = 1.0,
        half: bool = False,
    ) -> None:
        super().__init__()
        self.upscale, self.at_half = upscale, half
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD)[:, None, None], persistent=False)
        self.encoder, self.skips, channels, normed = get_encoder(encoder, pretrained)
        n, batch = channels[-1], norm == "batch"
        self.bn = batch_norm(n) if normed else PixelNorm()
        wide, narrow = thin(2 * n, width), thin(n, width)
        self.middle = nn.Sequential(conv_layer(n, wide, batch), conv_layer(wide, narrow, batch))
        self.blocks, n_full = nn.ModuleList(), n  # n_full: fastai's
        n = narrow
        for n_skip in reversed(channels[:-1]):
            n_full = n_full // 2 + n_skip
            if len(self.blocks) == len(channels) - 2:
                n_full //= 2
            n_block, with_attention = thin(n_full, width), attention and len(self.blocks) == 1
            self.blocks.append(UnetBlock(n, n_skip, n_block, batch, blur, with_attention, normed))
            n = n_block
        n_last = n if half else n + 3
        self.shuf = nn.Identity() if half else shuffle(n, n, batch)
        self.res = nn.Identity() if half else ResBlock(n_last, batch)
        add_norm(nn.ModuleList([self.middle, self.blocks, self.shuf, self.res]), norm)
        self.last = EvenConv(n_last, n_out, upscale)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)
        self.train()

    def prepare(self, x: Tensor) -> Tensor:
        """A picture as the encoder takes it: normalised, its sides multiples of 32."""
        height, width = x.shape[-2:]
        return F.pad((x - self.mean) / self.std, (0, -width % UNET_STRIDE, 0, -height % UNET_STRIDE), mode="replicate")

    def encode(self, picture: Tensor) -> list[Tensor]:
        """What the encoder sees of `prepare`'s picture at 1/2, 1/4, 1/8, 1/16 and 1/32 of its size."""
        x = picture
        seen: list[Tensor] = []
        for name, layer in self.encoder.named_children():
            x = layer(x)
            if name in self.skips:
                seen.append(x)
        return [*seen, x]

    def at_eighth(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] -> (N, C, h, w): what the encoder sees of each square of 8 x 8 pixels.

        There are more of them where H and W are no multiples of 32.
        """
        return self.encode(self.prepare(x))[2]

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        picture = self.prepare(x)
        *skips, x = self.encode(picture)
        x = self.middle(self.bn(x).relu())  # at 1/32 of the size
        for block, skip in zip(self.blocks, reversed(skips), strict=True):
            x = block(x, skip)
        if self.at_half:
            return self.last(x)[..., : (height + 1) // 2, : (width + 1) // 2]  # ONNX rounds -height // 2 up
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


def get_unet(config: ModelConfig, n_out: int = 3, upscale: int = 1, half: bool = False) -> Unet:
    """A Unet as a config's section describes it."""
    decoder = config.norm, config.attention, config.blur, upscale, config.width, half
    return Unet(config.encoder, n_out, config.pretrained, *decoder)


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
