"""The colourisation network in terms that ONNX knows."""

from torch import Tensor, nn

from colorize.lab import set_ab, to_grey
from colorize.model import AB_SCALE, Colorizer
from common.models.plain_unet import without_hooks


class PlainColorizer(nn.Module):
    """A Colorizer's network and numbers: (N, 3, H, W) in [0, 1] -> the same, coloured."""

    def __init__(self, model: Colorizer) -> None:
        super().__init__()
        self.unet = without_hooks(model).unet

    def forward(self, photo: Tensor) -> Tensor:
        grey = to_grey(photo)
        return set_ab(grey, AB_SCALE * self.unet(grey)).clamp(0, 1)
