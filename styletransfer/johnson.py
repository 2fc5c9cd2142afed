"""The image transformation network of Johnson et al. 2016 (arXiv 1603.08155, supplementary material).

As in the paper: a 9 x 9 convolution, two of stride 2, five residual blocks, two upsamplings by 2, a 9 x 9 convolution.
Instance norm takes the place of batch norm (Ulyanov et al. 2016, arXiv 1607.08022). Unlike in the paper, nearest
neighbours and a convolution enlarge, since transposed convolutions leave checkerboards (Odena et al. 2016), and each
convolution reflects the picture at its borders, where the paper pads once by 40 pixels and loses them on the way.

Nothing but what a photo shows can tell such a network where to put a stroke, and a cloudless sky shows nothing: it is
painted flat. With `noise` a fourth channel of fixed noise goes in beside the photo's three, as the texture networks of
Ulyanov et al. 2016 (arXiv 1603.03417) have it; each pixel of a picture has the same noise whenever it is painted.

With several styles each has its own scale and shift after every norm, and all else is shared: conditional instance norm
(Dumoulin et al. 2017, arXiv 1610.07629).
"""

import functools
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

STRIDE = 4
MIN_SIDE = 16  # pixels that reflecting needs
NOISE_SIDE = 256  # pixels after which the noise repeats


@functools.cache
def fixed_noise() -> np.ndarray:
    """(NOISE_SIDE, NOISE_SIDE) float32, of mean 0 and variance 1: the same with each version of numpy."""
    return np.random.RandomState(0).standard_normal((NOISE_SIDE, NOISE_SIDE)).astype(np.float32)


def conv(n_in: int, n_out: int, size: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, size, stride, padding=size // 2, padding_mode="reflect")


class StyleNorm(nn.InstanceNorm2d):
    """Instance norm with a scale and a shift for each style, mixed for each picture."""

    def __init__(self, channels: int, styles: int) -> None:
        super().__init__(channels)
        self.scales = nn.ParameterList(torch.ones(channels) for _ in range(styles))
        self.shifts = nn.ParameterList(torch.zeros(channels) for _ in range(styles))

    def forward(self, input: Tensor, mix: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """input: (N, C, H, W); mix: (N, styles), how much of each."""
        scale, shift = ((mix @ values)[..., None, None] for values in self.stacked())
        return super().forward(input) * scale + shift

    def stacked(self) -> tuple[Tensor, Tensor]:
        """Scales and shifts, (styles, C) each."""
        return torch.stack(list(self.scales)), torch.stack(list(self.shifts))


class StyledLayers(nn.Sequential):
    """Layers one after the other, of which some are told the mix of styles."""

    def forward(self, input: Tensor, mix: Tensor | None = None) -> Tensor:
        for layer in self:
            is_told = isinstance(layer, StyledLayers | ResidualBlock | StyleNorm)
            input = layer(input, mix) if is_told else layer(input)
        return input


def norm(channels: int, styles: int) -> nn.InstanceNorm2d:
    """Normalises each channel of each picture to mean 0 and variance 1, then scales and shifts it as learned.

    styles: 0 for one style, whatever is painted.
    """
    return StyleNorm(channels, styles) if styles else nn.InstanceNorm2d(channels, affine=True)


def conv_norm_relu(n_in: int, n_out: int, size: int, stride: int = 1, styles: int = 0) -> StyledLayers:
    return StyledLayers(conv(n_in, n_out, size, stride), norm(n_out, styles), nn.ReLU(inplace=True))


class ResidualBlock(nn.Module):
    """x + two 3 x 3 convolutions of it; no ReLU after the sum (Gross and Wilber 2016), as in the paper."""

    def __init__(self, channels: int, styles: int) -> None:
        super().__init__()
        first, last = conv_norm_relu(channels, channels, 3, styles=styles), norm(channels, styles)
        for scale in last.scales if isinstance(last, StyleNorm) else [last.weight]:
            nn.init.zeros_(scale)
        self.layers = StyledLayers(first, conv(channels, channels, 3), last)

    def forward(self, x: Tensor, mix: Tensor | None = None) -> Tensor:
        return x + self.layers(x, mix)


class TransformationNetwork(nn.Module):
    """(N, 3, H, W) in [0, 1] -> (N, 3, H, W), unbounded, for any H and W. width: channels at full size.

    noise: whether it is given noise beside the photo; in training that of another place each time.

    With `styles` it is also given the mix of them, (N, k): how much of each of the last k.
    """

    def __init__(self, width: int, styles: int = 0, noise: bool = False) -> None:
        super().__init__()
        self.width, self.styles, self.noise = width, styles, noise
        self.register_buffer("noise_pixels", torch.tensor(fixed_noise()) if noise else None, persistent=False)
        self.layers = StyledLayers(
            conv_norm_relu(3 + noise, width, 9, styles=styles),
            conv_norm_relu(width, 2 * width, 3, 2, styles),
            conv_norm_relu(2 * width, 4 * width, 3, 2, styles),
            *[ResidualBlock(4 * width, styles) for _ in range(5)],
            nn.Upsample(scale_factor=2),
            conv_norm_relu(4 * width, 2 * width, 3, styles=styles),
            nn.Upsample(scale_factor=2),
            conv_norm_relu(2 * width, width, 3, styles=styles),
            conv(width, 3, 9),
        )

    def forward(self, x: Tensor, mix: Tensor | None = None) -> Tensor:
        if self.styles:
            mix = x.new_ones(len(x), 1) if mix is None else mix
            mix = F.pad(mix.as_subclass(Tensor), (self.styles - mix.shape[1], 0))
        height, width = x.shape[-2:]
        right, below = (torch.sym_max(-side % STRIDE, MIN_SIDE - side) for side in (width, height))  # max, for exports
        x = F.pad(x, (0, right, 0, below), mode="replicate")  # pyright: ignore[reportArgumentType] (SymInt)
        return self.layers(self.with_noise(2 * x - 1), mix)[..., :height, :width]

    def with_noise(self, x: Tensor, top: int = 0) -> Tensor:
        """(N, 3, H, W) -> (N, 3, H, W), or (N, 4, H, W) with noise. top: the picture's row that x begins with."""
        if not isinstance(self.noise_pixels, Tensor):
            return x
        start = torch.tensor([top, 0], device=x.device)
        if self.training:
            start = torch.randint(NOISE_SIDE, (2,), device=x.device)
        rows, columns = (
            (torch.arange(side, device=x.device) + first) % NOISE_SIDE
            for side, first in zip(x.shape[-2:], start, strict=True)
        )
        noise = self.noise_pixels[rows][:, columns].to(x.dtype)
        return torch.cat([x, noise.expand(len(x), 1, -1, -1)], dim=1)

    def norms(self) -> dict[str, StyleNorm]:
        """{name: norm} of those that have several styles."""
        return {name: module for name, module in self.named_modules() if isinstance(module, StyleNorm)}

    @torch.no_grad()
    def in_style(self, mix: Sequence[float]) -> "TransformationNetwork":
        """A network of one style, which is a mix of this one's: how much of each. Its results are the same."""
        norms, state = self.norms(), self.state_dict()
        of_norms = {f"{name}.{key}" for name, norm in norms.items() for key in norm.state_dict()}
        plain = {name: value for name, value in state.items() if name not in of_norms}
        for name, norm in norms.items():
            parts = torch.tensor(mix, device=norm.scales[0].device)
            plain[f"{name}.weight"], plain[f"{name}.bias"] = (parts @ values for values in norm.stacked())
        network = TransformationNetwork(self.width, noise=self.noise).to(next(self.parameters()).device)
        network.load_state_dict(plain)
        return network.train(self.training)

    @torch.no_grad()
    def learn_only_new(self, kept: int) -> None:
        """Freezes all but the scales and shifts of the styles after the first `kept`, which begin as their mean."""
        self.requires_grad_(False)
        for norm in self.norms().values():
            for values in (norm.scales, norm.shifts):
                mean = torch.stack(list(values)[:kept]).mean(dim=0)
                for parameter in list(values)[kept:]:
                    parameter.copy_(mean)
                    parameter.requires_grad_(True)
