"""The colourisation network: a U-Net that sees the grey photo and predicts a* and b* for each of its pixels."""

import zlib

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorize.bins import mean_color
from colorize.config import ColorizeModelConfig
from colorize.lab import set_ab, to_grey
from colorize.palette import toward
from common.models.unet import Unet, get_unet
from common.photos.pixels import as_plain

AB_SCALE = 100  # of a* and b* for each 1 that the U-Net puts out


class Colorizer(nn.Module):
    """(N, 3, H, W) in [0, 1] -> the same, coloured, with the L* of the input, whose own colours are ignored.

    Untrained it gives the grey photo. size: short side in pixels of the crops that it was trained on, and therefore of
    the copy of a photo on which it finds colours best.
    colors: (centres, weights) of those that the U-Net names instead, with a logit for each: (Q, 2), a* and b*, and
    (Q,), what its loss multiplied them by. `vividness`: see `mean_color`. `palette`: (Q,), of which the colours of each
    picture are to be, see `palette.toward`; None: any.
    With `remembers` it keeps what the U-Net put out as `output`, for a loss; who takes it sets it to None.
    """

    settings = ("classes",)  # as `common.models.blend` reads them
    centres: Tensor | None
    weights: Tensor | None

    def __init__(
        self,
        unet: Unet,
        size: int,
        colors: tuple[Tensor, Tensor] | None = None,
        vividness: float = 0.0,
    ) -> None:
        super().__init__()
        self.unet, self.size, self.vividness = unet, size, vividness
        centres, weights = colors or (None, None)
        self.register_buffer("centres", centres)
        self.register_buffer("weights", weights)
        self.palette: Tensor | None = None
        self.remembers = False
        self.output: Tensor | None = None

    @property
    def classes(self) -> str:
        """The colours that it names, in short: others have another number at the end."""
        if self.centres is None:
            return "none"
        return f"{len(self.centres)} colours ({zlib.crc32(self.centres.float().cpu().numpy().tobytes()):08x})"

    def forward(self, photo: Tensor) -> Tensor:
        photo = as_plain(photo)
        with torch.autocast(photo.device.type, enabled=False):
            grey = to_grey(photo.float())
        out = self.unet(grey)
        if self.remembers:
            self.output = out
        with torch.autocast(photo.device.type, enabled=False):
            out = out.float()
            if self.centres is None or self.weights is None:
                return paint(grey, AB_SCALE * out)
            weights = self.weights.float()
            if self.palette is not None:
                out = toward(out, weights, self.palette)
            free = self.palette is None
            return paint(grey, mean_color(out, self.centres.float(), weights, self.vividness, multiplied=free))


def paint(grey: Tensor, ab: Tensor) -> Tensor:
    """The colours (N, 2, h, w), if need be enlarged, on a grey picture (N, 3, H, W)."""
    height, width = grey.shape[-2:]
    if ab.shape[-2:] != (height, width):  # half the size, rounded up
        ab = F.interpolate(ab, scale_factor=2, mode="bilinear", align_corners=False)[..., :height, :width]
    return set_ab(grey, ab)


def get_model(config: ColorizeModelConfig, size: int, colors: tuple[Tensor, Tensor] | None = None) -> Colorizer:
    """A Colorizer as `config` describes it. colors: (centres, weights) of those that it names, if it does."""
    n_out = 2 if colors is None else len(colors[0])
    return Colorizer(get_unet(config, n_out=n_out, half=config.half), size, colors, config.vividness)
