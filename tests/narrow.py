"""A ResNet18 of width 4 in place of torchvision's of 64, and a VGG16 an eighth as wide: what tests build unless they
use the fixture `wide`."""

from contextlib import contextmanager
from unittest.mock import patch

from torch import nn
from torchvision.models import _api, vgg
from torchvision.models.resnet import BasicBlock, ResNet, ResNet18_Weights, resnet18

WIDTH = 4
VGG16_WIDTHS = vgg.cfgs["D"]


class NarrowResNet(ResNet):
    """torchvision's ResNet18, with all of its layers a sixteenth as wide."""

    def __init__(self, zero_init_residual: bool = False) -> None:
        super().__init__(BasicBlock, [1, 1, 1, 1])
        self.inplanes = WIDTH
        self.conv1 = nn.Conv2d(3, WIDTH, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTH)
        for i in range(4):
            layer = self._make_layer(BasicBlock, WIDTH * 2**i, 2, stride=1 if i == 0 else 2)
            setattr(self, f"layer{i + 1}", layer)
        self.fc = nn.Linear(8 * WIDTH, 1000)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if isinstance(module, BasicBlock) and zero_init_residual:
                nn.init.zeros_(module.bn2.weight)


def narrow_resnet18(*, weights: ResNet18_Weights | None = None, **options):
    """As `torchvision.models.resnet18`; with weights, torchvision's own, which have one width."""
    return NarrowResNet(**options) if weights is None else resnet18(weights=weights, **options)


@contextmanager
def narrow():
    """While it lasts, torchvision's `get_model("resnet18")` and its layers of a VGG16 are narrow."""
    widths = [width if width == "M" else width // 8 for width in vgg.cfgs["D"]]
    with patch.dict(_api.BUILTIN_MODELS, resnet18=narrow_resnet18), patch.dict(vgg.cfgs, D=widths):
        yield


@contextmanager
def not_narrow():
    """While it lasts, they are torchvision's again."""
    with patch.dict(_api.BUILTIN_MODELS, resnet18=resnet18), patch.dict(vgg.cfgs, D=VGG16_WIDTHS):
        yield


def is_narrow():
    return _api.BUILTIN_MODELS["resnet18"] is narrow_resnet18
