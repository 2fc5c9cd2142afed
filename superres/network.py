"""The super-resolution network: what a U-Net, or another, adds to a bicubic enlargement."""

from collections.abc import Collection

import torch
from torch import Tensor, nn

from common.models.unet import get_unet
from common.photos.pixels import as_plain
from common.runtime.errors import UserError
from common.runtime.precision import HALVES
from superres.bicubic import resize_bicubic
from superres.config import SuperresModelConfig
from superres.even import make_even
from superres.srcnn import SRCNN


class SuperResolver(nn.Module):
    """(N, 3, h, w) in [0, 1] -> (N, 3, scale h, scale w): bicubic enlargement + network. Untrained it is bicubic.

    unet: the network, a Unet or another. upsample: 'before' gives it the enlarged picture, as lesson 7 does; 'after'
    the small one, which ends in a pixel shuffle and is about twice as fast. residual: False if the network makes the
    whole picture, not what to add to bicubic.
    """

    settings = ("scale", "upsample", "residual")  # as `common.models.blend` reads them

    def __init__(self, unet: nn.Module, scale: int, upsample: str, residual: bool = True) -> None:
        super().__init__()
        self.unet, self.scale, self.upsample, self.residual = unet, scale, upsample, residual
        self.strength = 1.0  # of what the network adds

    @property
    def grid(self) -> int:
        """Tiles of a photo start at multiples of so many pixels."""
        return getattr(self.unet, "grid", 1)

    @property
    def is_held_back(self) -> bool:
        """Whether less than all that the network adds is added."""
        return self.strength < 1

    @property
    def precisions(self) -> Collection[torch.dtype]:
        """The kinds of half precision that it works in."""
        return getattr(self.unet, "precisions", HALVES)

    def forward(self, low: Tensor) -> Tensor:
        low = as_plain(low)
        if not self.residual and self.strength == 1:
            return self.unet(low)
        enlarged = resize_bicubic(low, self.scale)
        result = self.unet(low if self.upsample == "after" else enlarged)
        added = result if self.residual else result - enlarged
        return enlarged + (added if self.strength == 1 else self.strength * added)


def get_model(config: SuperresModelConfig, scale: int) -> SuperResolver:
    """A SuperResolver as `config` describes it. Raises UserError if it cannot be built."""
    if config.network == "srcnn":
        return SuperResolver(SRCNN(), scale, upsample="before")
    if config.network == "spandrel":
        from superres.architectures import build_architecture, start_at_zero  # spandrel takes a second to import

        network = build_architecture(config.architecture or "", config.options, scale)
        if config.on_bicubic:
            start_at_zero(network)
        if config.fused:
            network.fuse()
        if config.even and not make_even(network):
            raise UserError(f"model.even: {config.architecture} ends in no pixel shuffle; leave it out")
        return SuperResolver(network, scale, upsample="after", residual=config.on_bicubic)
    unet = get_unet(config, upscale=scale if config.upsample == "after" else 1)
    return SuperResolver(unet, scale, config.upsample)
