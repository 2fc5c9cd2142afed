"""The image transformation network of Johnson et al. 2016 (arXiv 1603.08155, supplementary material).

As in the paper: a 9 x 9 convolution, two of stride 2, five residual blocks, two upsamplings by 2, a 9 x 9 convolution.
Instance norm takes the place of batch norm (Ulyanov et al. 2016, arXiv 1607.08022). Unlike in the paper, nearest
neighbours and a convolution enlarge, since transposed convolutions leave checkerboards (Odena et al. 2016), and each
convolution reflects the picture at its borders, where the paper pads once by 40 pixels and loses them on the way.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STRIDE = 4
MIN_SIDE = 16  # pixels that reflecting needs


def conv(n_in: int, n_out: int, size: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, size, stride, padding=size // 2, padding_mode="reflect")


def norm(channels: int) -> nn.InstanceNorm2d:
    """Normalises each channel of each picture to mean 0 and variance 1, then scales and shifts it as learned."""
    return nn.InstanceNorm2d(channels, affine=True)


def conv_norm_relu(n_in: int, n_out: int, size: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(conv(n_in, n_out, size, stride), norm(n_out), nn.ReLU(inplace=True))


class ResidualBlock(nn.Module):
    """x + two 3 x 3 convolutions of it; no ReLU after the sum (Gross and Wilber 2016), as in the paper."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(conv_norm_relu(channels, channels, 3), conv(channels, channels, 3), norm(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class TransformationNetwork(nn.Module):
    """(N, 3, H, W) in [0, 1] -> (N, 3, H, W), unbounded, for any H and W. width: channels at full size."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            conv_norm_relu(3, width, 9),
            conv_norm_relu(width, 2 * width, 3, stride=2),
            conv_norm_relu(2 * width, 4 * width, 3, stride=2),
            *[ResidualBlock(4 * width) for _ in range(5)],
            nn.Upsample(scale_factor=2),
            conv_norm_relu(4 * width, 2 * width, 3),
            nn.Upsample(scale_factor=2),
            conv_norm_relu(2 * width, width, 3),
            conv(width, 3, 9),
        )

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        right, below = (torch.sym_max(-side % STRIDE, MIN_SIDE - side) for side in (width, height))  # max, for exports
        x = F.pad(x, (0, right, 0, below), mode="replicate")  # pyright: ignore[reportArgumentType] (SymInt)
        return self.layers(2 * x - 1)[..., :height, :width]
