"""DISTS: a distance that compares the means and the structure of activations, and forgives other grains of a texture.

Ding et al. 2020 (arXiv 2004.07728). The network is torchvision's VGG16, the weights of its channels those that
torchmetrics ships.
"""

from collections.abc import Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.models.lpips import read_torchmetrics_file
from common.models.vgg16 import VGG16Features

STAGES = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
C1 = C2 = 1e-6  # what keeps the quotients finite where nothing is


class L2Pool(nn.Module):
    """(N, C, H, W) -> (N, C, H / 2, W / 2) in float32: the root of x^2, smoothed by a Hanning window of 3 x 3 taps.

    It takes the place of a max-pool, which lets fine patterns through as coarse ones (section 2.1 of the paper).
    """

    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        taps = torch.hann_window(5, periodic=False)[1:-1]  # its ends are 0
        self.register_buffer("window", taps.outer(taps) / taps.sum() ** 2)

    def forward(self, x: Tensor) -> Tensor:
        channels = x.shape[1]
        with torch.autocast(x.device.type, enabled=False):  # squares overflow half precision
            kernels = self.window.expand(channels, 1, 3, 3)
            return (F.conv2d(x.float().square(), kernels, stride=2, padding=1, groups=channels) + 1e-12).sqrt()


class DISTS(nn.Module):
    """pred (N, 3, H, W), target (N or 1, 3, H, W), in [0, 1] -> (N,) distances in [0, 1] or near it, 0 for equal ones.

    1 - sum of alpha S1 + beta S2 over the channels of the picture and of the `STAGES`; S1, S2: see `similarities`. A
    frozen network; gradients go through both. weights and key: as `VGG16Features` takes them. Raises UserError as it
    does, and if torchmetrics is not installed.
    """

    alpha: Tensor
    beta: Tensor

    def __init__(self, weights: str = "torchvision", key: str = "loss.vgg") -> None:
        super().__init__()
        channel_weights = read_channel_weights(key)
        self.vgg = VGG16Features(STAGES, weights, key)
        for name, layer in self.vgg.layers.named_children():
            if isinstance(layer, nn.MaxPool2d):
                setattr(self.vgg.layers, name, L2Pool())
        for name, values in zip(("alpha", "beta"), channel_weights, strict=True):
            self.register_buffer(name, values)
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Self:
        return super().train(False)

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return self.distance(self.activations(pred), self.activations(target))

    def activations(self, picture: Tensor) -> list[Tensor]:
        """The picture and the activations (N, C, h, w) of the `STAGES`, in float32."""
        return [picture.float(), *self.vgg(picture).values()]

    def distance(self, ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> Tensor:
        """(N,) of such activations."""
        pairs = [similarities(a, b) for a, b in zip(ours, theirs, strict=True)]
        means, structures = (torch.cat(parts, dim=1) for parts in zip(*pairs, strict=True))
        return 1 - (self.alpha * means + self.beta * structures).sum(dim=1)


def similarities(pred: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """S1 and S2, (N, C) each, of activations (N, C, h, w); 1 where they are equal.

    S1 = (2 mx my + C1) / (mx^2 + my^2 + C1) and S2 = (2 cov(x, y) + C2) / (var(x) + var(y) + C2), over the pixels.
    """
    x_mean, y_mean = (x.mean(dim=(2, 3), keepdim=True) for x in (pred, target))
    x, y = pred - x_mean, target - y_mean
    s1 = (2 * x_mean * y_mean + C1) / (x_mean.square() + y_mean.square() + C1)
    variances = x.square().mean(dim=(2, 3)) + y.square().mean(dim=(2, 3))
    return s1[..., 0, 0], (2 * (x * y).mean(dim=(2, 3)) + C2) / (variances + C2)


def read_channel_weights(key: str) -> tuple[Tensor, Tensor]:
    """alpha and beta, (1475,) each, whose sum is 1. Raises UserError if torchmetrics is not installed."""
    state = read_torchmetrics_file("dists_models/weights.pt", key)
    alpha, beta = (state[name].detach().float().flatten() for name in ("alpha", "beta"))
    total = alpha.sum() + beta.sum()
    return alpha / total, beta / total
