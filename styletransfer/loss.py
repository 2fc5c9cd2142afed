"""The loss of style transfer: what a photo shows, in the style of a picture that it does not show."""

from collections.abc import Mapping, Sequence
from itertools import chain

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.config.losses import LossConfig
from common.losses.loss import Activations, PerceptualLoss, describe
from common.losses.perceptual import add_up

STYLE_TERMS = ("gram", "statistics", "sliced")  # which compare with the style's picture, not with the photo
QUANTILES = 4096  # of the activations of several styles, which are mixed


class StyleLoss(PerceptualLoss):
    """A PerceptualLoss towards the styles of pictures, (1, 3, H, W) each, described once, not of the target.

    A style may be a list, of one picture in several sizes: what is described of them is averaged.

    With several styles a call says which is whose: mix, (N, styles). In train mode each then pulls alike on average,
    however strong its Gram matrices are; in eval mode, which is for measuring, as its matrices say. A mix of (N, 1 +
    styles) says in its first column how much of a photo's own style is to stay: for a dial of strength, whose target
    lies on the line from that to the style's.
    """

    def __init__(self, config: LossConfig, *styles: Tensor | Sequence[Tensor]) -> None:
        super().__init__(config)
        self.kept = nn.ParameterDict()  # so that they move to the device with the loss: 'term layer'
        self.n_styles = len(styles)
        with torch.no_grad():
            activations = [
                [self.activations(picture) for picture in ([style] if isinstance(style, Tensor) else style)]
                for style in styles
            ]
        self.n_sizes = len(activations[0]) if activations else 1
        for name, term in config.network_terms().items():
            for layer in term.layers if name in STYLE_TERMS else ():
                place = self.network_of[name]
                self.keep(name, layer, [[seen[place][layer] for seen in of_style] for of_style in activations])

    def keep(self, name: str, layer: str, activations: list[list[Tensor]]) -> None:
        """Describes the styles: (styles, ...); activations as they are where directions are still to come."""
        if name == "sliced":
            for number, activation in enumerate(chain.from_iterable(activations)):
                self.kept[key(name, layer, number)] = nn.Parameter(activation, requires_grad=False)
        else:
            described = [
                torch.cat([describe(name, activation, None) for activation in sizes]).mean(dim=0)
                for sizes in activations
            ]
            self.kept[key(name, layer)] = nn.Parameter(torch.stack(described), requires_grad=False)

    def described_target(
        self, name: str, layer: str, target: Activations, directions: Tensor | None, *extra: Tensor
    ) -> Tensor:
        """(N, ...), each picture's style; (1, ...) if there is but one."""
        if name not in STYLE_TERMS:
            return super().described_target(name, layer, target, directions)
        if name == "sliced":
            pictures = range(self.n_styles * self.n_sizes)
            sorted_ones = [describe(name, self.kept[key(name, layer, i)], directions) for i in pictures]
            if len(sorted_ones) == 1 and not extra:
                return sorted_ones[0]
            styles = torch.cat([F.interpolate(values, size=QUANTILES, mode="linear") for values in sorted_ones])
            styles = styles.unflatten(0, (self.n_styles, self.n_sizes)).mean(dim=1)
        else:
            styles = self.kept[key(name, layer)]
        if not extra:
            return styles
        mix = extra[0].as_subclass(Tensor).float()
        mixed = torch.einsum("ns,sij->nij", mix[:, -self.n_styles :], styles)
        if mix.shape[1] == self.n_styles:
            return mixed
        own = describe(name, target[layer], directions)
        if name == "sliced":
            own = F.interpolate(own, size=QUANTILES, mode="linear")
        return mixed + mix[:, :1, None] * own

    @property
    def style_grams(self) -> Mapping[str, Tensor]:
        """{layer: (styles, C, C)}."""
        layers = self.config.gram.layers if self.config.gram is not None else ()
        return {layer: self.kept[key("gram", layer)] for layer in layers}

    def parts(self, *extra: Tensor) -> Tensor | float:
        """(N,) what each picture counts: inversely to its style's distance from nothing, and 1 on average of styles.

        Relative distances pull alike by themselves.
        """
        gram = self.config.gram
        if not extra or not self.training or gram is None or gram.distance == "relative":
            return 1.0
        grams = self.style_grams
        sizes = add_up(
            weight * (grams[name].abs() if gram.distance == "l1" else grams[name].square()).mean(dim=(1, 2))
            for name, weight in gram.layers.items()
        )
        mix = extra[0].as_subclass(Tensor).float()[:, -self.n_styles :]
        strength = mix.sum(dim=1)  # which is no matter of how strong a style is
        counts = mix @ (sizes.reciprocal() / sizes.reciprocal().mean())
        return torch.where(strength > 0, counts / strength.clamp_min(1e-6), 1.0)


def key(name: str, layer: str, number: int | None = None) -> str:
    """Of what is kept; torch allows no dots in it."""
    return " ".join([name, layer.replace(".", "/"), *([] if number is None else [str(number)])])
