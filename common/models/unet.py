"""The ResNet U-Net: fastai's DynamicUnet over a torchvision encoder, with its norm, attention and upscaling chosen.

The shape is lesson 7's: a ResNet encoder, a decoder of ICNR pixel shuffles, self-attention at 1/8 of the size.
"""

from pathlib import Path
from typing import Self, cast
from urllib.error import URLError

import torch
import torch.nn.functional as F
import torchvision
from fastai.layers import NormType
from fastai.layers import SelfAttention as FastaiSelfAttention
from fastai.vision.learner import create_body
from fastai.vision.models.unet import DynamicUnet, UnetBlock
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from common.config.sections import UNET_STRIDE
from common.models.attention import SelfAttention
from common.models.vgg16 import IMAGENET_MEAN, IMAGENET_STD
from common.models.weights import read_weights_file
from common.runtime.errors import UserError


class Unet(nn.Module):
    """(N, 3, H, W) in [0, 1] -> (N, n_out, upscale * H, upscale * W), for any H and W.

    The last convolution starts at zero, so a new network returns exactly 0: add its output to a first guess.

    encoder: name of a torchvision ResNet. pretrained: use torchvision's ImageNet weights (downloaded once), or those
    of a .pth or .safetensors file in its layout.
    norm: of the decoder's convolutions, 'batch', 'weight', 'spectral' or 'none'.
    attention: one self-attention block. blur: average after the decoder's pixel shuffles, against checkerboards.
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
        self.net = DynamicUnet(
            get_encoder(encoder, pretrained),
            n_out,
            img_size=(2 * UNET_STRIDE, 2 * UNET_STRIDE),
            norm_type=NormType.Batch if norm == "batch" else None,
            blur=blur,
            self_attention=attention,
        )
        *layers, last_layer, _to_tensor_base = self.net.layers
        self.net.layers = nn.ModuleList(layers)
        self.last = EvenConv(count_input_channels(last_layer), n_out, upscale)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)
        self.shuffle = nn.PixelShuffle(upscale)
        replace_attention(self.net)
        add_norm(self.net.layers[1:], norm)
        self.train()

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        x = (x - self.mean) / self.std
        x = F.pad(x, (0, -width % UNET_STRIDE, 0, -height % UNET_STRIDE), mode="replicate")
        x = self.shuffle(self.last(self.net(x)))
        for hook in self.net.sfs:
            hook.stored = None  # the skips' activations: they cost memory, and keep the model from being copied
        return x[..., : height * self.upscale, : width * self.upscale]

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for norm in self.frozen_batch_norms():
            norm.eval()
        return self

    def frozen_batch_norms(self) -> list[nn.BatchNorm2d]:
        """The BatchNorm layers whose statistics never change: the encoder's, the one after it, the skips'."""
        encoder, after_encoder, *decoder = self.net.layers
        skips = [block.bn for block in decoder if isinstance(block, UnetBlock)]
        return [m for m in (*encoder.modules(), after_encoder, *skips) if isinstance(m, nn.BatchNorm2d)]


class EvenConv(nn.Conv2d):
    """The 3 x 3 convolution before a pixel shuffle: (N, in, H, W) -> (N, out * upscale**2, H, W), without a grid.

    Where features are constant, the upscale x upscale pixels that are shuffled from one place come out equal, whatever
    the weights: for each of them the kernel has the same sum, and the bias is one. Else a perceptual loss, to which
    dots look like texture, makes the network write the same dots everywhere.
    The condition is that of Sugawara et al. 2019, 'Checkerboard artifacts free convolutional neural networks'.
    """

    def __init__(self, in_channels: int, out_channels: int, upscale: int) -> None:
        super().__init__(in_channels, out_channels * upscale**2, kernel_size=3, padding=1)
        self.upscale = upscale

    def forward(self, input: Tensor) -> Tensor:
        if self.upscale == 1 or self.bias is None:
            return super().forward(input)
        weight = self.weight.unflatten(0, (-1, self.upscale**2))  # out, pixel of the square, in, 3, 3
        bias = self.bias.unflatten(0, (-1, self.upscale**2))
        means = weight.mean(dim=(-2, -1), keepdim=True)
        weight = weight - means + means.mean(dim=1, keepdim=True)
        bias = bias.mean(dim=1, keepdim=True).expand_as(bias)
        return F.conv2d(input, weight.flatten(0, 1), bias.flatten(), padding=1)


def parameter_groups(model: nn.Module) -> list[list[nn.Parameter]]:
    """[the encoder's parameters, the rest] of a model that has a Unet: for freezing and separate learning rates.

    [all that are trained] of a model without one.
    """
    unet = next((module for module in model.modules() if isinstance(module, Unet)), None)
    if unet is None:
        return [[parameter for parameter in model.parameters() if parameter.requires_grad]]
    encoder = list(unet.net.layers[0].parameters())
    encoder_ids = {id(parameter) for parameter in encoder}
    return [encoder, [parameter for parameter in model.parameters() if id(parameter) not in encoder_ids]]


def count_input_channels(layer: nn.Module) -> int:
    """How many channels the first convolution of `layer` takes."""
    return next(module.in_channels for module in layer.modules() if isinstance(module, nn.Conv1d | nn.Conv2d))


def get_encoder(name: str, pretrained: bool | Path) -> nn.Sequential:
    """A torchvision ResNet without its pooling and classifier. Raises UserError if its weights cannot be read."""
    weights = "DEFAULT" if pretrained is True else None
    # Without statistics to normalise by, residual branches must start at zero, or 16 blocks of them explode.
    options = {} if pretrained else {"zero_init_residual": True}
    try:
        model = torchvision.models.get_model(name, weights=weights, **options)
    except URLError as error:
        raise UserError(
            f"the pretrained {name} could not be downloaded ({error.reason}). Offline, set "
            "pretrained=false in the model's section, or to a file of its weights."
        ) from error
    if isinstance(pretrained, Path):
        load_encoder(model, name, pretrained)
    return cast(nn.Sequential, create_body(model, cut=-2))  # what it makes of a number of layers to cut


def load_encoder(model: nn.Module, name: str, path: Path) -> None:
    """Fills a torchvision ResNet in place from a file in its layout; the classifier may be missing, and is not used.

    Raises UserError if the file cannot be read, or is of another network.
    """
    enum = next(iter(torchvision.models.get_model_weights(name)))
    state = read_weights_file(str(path), "model.pretrained", enum, words=())
    own = {key: value for key, value in state.items() if not key.startswith("fc.")}
    for key, value in model.state_dict().items():
        needed = not key.startswith("fc.") and not key.endswith("num_batches_tracked")
        if needed and (key not in own or own[key].shape != value.shape):
            raise UserError(
                f"model.pretrained = {path}: not a {name} in torchvision's layout (conv1.weight ... layer4); "
                f"{key} is missing or of another size"
            )
    model.load_state_dict(own, strict=False)


def replace_attention(network: nn.Module) -> None:
    """Replaces fastai's SelfAttention by the memory-bounded one, in place."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, FastaiSelfAttention):
                setattr(parent, name, SelfAttention(count_input_channels(child.value)))


def add_norm(network: nn.Module, norm: str) -> None:
    """Gives every Conv2d of `network` weight or spectral norm, in place; 'batch' and 'none' change nothing here."""
    if norm in ("weight", "spectral"):
        apply_norm = {"weight": weight_norm, "spectral": spectral_norm}[norm]
        for module in list(network.modules()):
            if isinstance(module, nn.Conv2d) and not parametrize.is_parametrized(module):
                apply_norm(module)
