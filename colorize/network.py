"""The colourisation network: a U-Net that sees the grey photo and predicts a* and b* for each of its pixels."""

import torch
from torch import Tensor, nn

from colorize.config import ColorizeModelConfig
from colorize.lab import set_ab, to_grey
from common.models.unet import get_unet
from common.photos.pixels import as_plain

AB_SCALE = 100  # of a* and b* for each 1 that the U-Net puts out


class Colorizer(nn.Module):
    """(N, 3, H, W) in [0, 1] -> the same, coloured, with the L* of the input, whose own colours are ignored.

    Untrained it gives the grey photo. size: short side in pixels of the crops that it was trained on, and therefore of
    the copy of a photo on which it finds colours best.
    """

    def __init__(self, unet: nn.Module, size: int) -> None:
        super().__init__()
        self.unet, self.size = unet, size

    def forward(self, photo: Tensor) -> Tensor:
        photo = as_plain(photo)
        with torch.autocast(photo.device.type, enabled=False):
            grey = to_grey(photo.float())
        ab = AB_SCALE * self.unet(grey)
        with torch.autocast(photo.device.type, enabled=False):
            return set_ab(grey, ab.float())


def get_model(config: ColorizeModelConfig, size: int) -> Colorizer:
    """A Colorizer as `config` describes it."""
    return Colorizer(get_unet(config, n_out=2), size)
