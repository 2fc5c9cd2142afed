"""ResNets as encoders: torchvision's (v1.5, ResNeXt, wide), in its layout, without pooling and classifier.

torchvision's own cannot be imported without its detection models and, through them, torch's compiler: that takes as
long as torch itself, before the first pixel of a photo.
"""

from typing import NamedTuple

from torch import Tensor, nn


class Shape(NamedTuple):
    """What makes one ResNet of a kind."""

    blocks: tuple[int, int, int, int]  # in each of its four layers
    bottleneck: bool = True
    groups: int = 1
    width: int = 64  # of a group of a bottleneck in the first layer


SHAPES = {
    "resnet18": Shape((2, 2, 2, 2), bottleneck=False),
    "resnet34": Shape((3, 4, 6, 3), bottleneck=False),
    "resnet50": Shape((3, 4, 6, 3)),
    "resnet101": Shape((3, 4, 23, 3)),
    "resnet152": Shape((3, 8, 36, 3)),
    "resnext50_32x4d": Shape((3, 4, 6, 3), groups=32, width=4),
    "resnext101_32x8d": Shape((3, 4, 23, 3), groups=32, width=8),
    "resnext101_64x4d": Shape((3, 4, 23, 3), groups=64, width=4),
    "wide_resnet50_2": Shape((3, 4, 6, 3), width=128),
    "wide_resnet101_2": Shape((3, 4, 23, 3), width=128),
}


class ResNet(nn.Sequential):
    """(N, 3, H, W), normalised -> (N, n_out, H / 32, W / 32), by the layers conv1 ... layer4.

    at_zero: each block begins by returning what it is given. Without statistics to normalise by, 16 blocks of random
    weights explode.
    """

    def __init__(self, name: str, at_zero: bool) -> None:
        super().__init__()
        shape = SHAPES[name]
        self.n_stem, self.n_out = 64, 2048 if shape.bottleneck else 512
        self.conv1 = nn.Conv2d(3, self.n_stem, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(self.n_stem)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        n_in = self.n_stem
        for i, count in enumerate(shape.blocks):
            n_out, width, layer = self.n_out // 2 ** (3 - i), shape.width * 2**i, nn.Sequential()
            for stride in [2 if i else 1] + [1] * (count - 1):
                if shape.bottleneck:
                    layer.append(Bottleneck(n_in, n_out, stride, width * shape.groups, shape.groups))
                else:
                    layer.append(BasicBlock(n_in, n_out, stride))
                n_in = n_out
            self.add_module(f"layer{i + 1}", layer)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if isinstance(module, BasicBlock | Bottleneck) and at_zero:
                nn.init.zeros_((module.bn3 if isinstance(module, Bottleneck) else module.bn2).weight)


class BasicBlock(nn.Module):
    """x + two 3 x 3 convolutions of it."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv(n_in, n_out, 3, stride), nn.BatchNorm2d(n_out)
        self.relu = nn.ReLU(inplace=True)
        self.conv2, self.bn2 = conv(n_out, n_out, 3), nn.BatchNorm2d(n_out)
        self.downsample = shortcut(n_in, n_out, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class Bottleneck(nn.Module):
    """x + a 3 x 3 convolution of it between two of 1 x 1, with fewer channels."""

    def __init__(self, n_in: int, n_out: int, stride: int, width: int, groups: int = 1) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv(n_in, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, 3, stride, groups), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = conv(width, n_out, 1), nn.BatchNorm2d(n_out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut(n_in, n_out, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


def conv(n_in: int, n_out: int, size: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, size, stride, padding=size // 2, groups=groups, bias=False)


def shortcut(n_in: int, n_out: int, stride: int) -> nn.Sequential | None:
    """What makes a block's input as large as its output; None if it is that."""
    if stride == 1 and n_in == n_out:
        return None
    return nn.Sequential(conv(n_in, n_out, 1, stride), nn.BatchNorm2d(n_out))
