"""The style network: a photo in, the same photo in one style out."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from common.config.sections import ModelConfig
from common.models.unet import get_unet
from common.photos.pixels import as_plain
from common.runtime.errors import UserError
from common.runtime.names import nfc
from common.runtime.nearest import did_you_mean
from styletransfer.config import StyleModelConfig
from styletransfer.johnson import TransformationNetwork
from styletransfer.style import PHOTO

LEAST_SLOPE = 0.05  # a fifth of the sigmoid's steepest


class LiveSigmoid(torch.autograd.Function):
    """The sigmoid, whose gradient never vanishes where it would lead back: there it is at least LEAST_SLOPE of what
    comes in, and outwards what it truly is.

    Instance norm tempts a network to make one bright, flat place far brighter than white, which shifts the rest of the
    picture. At logits of 100 a sigmoid passes no gradient, so nothing would ever darken that white spot again.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        result = logits.sigmoid()
        ctx.save_for_backward(result)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        (result,) = ctx.saved_tensors
        slope = result * (1 - result)
        leads_back = gradient * (result - 0.5) > 0  # a step goes against the gradient
        return gradient * torch.where(leads_back, slope.clamp_min(LEAST_SLOPE), slope)


class Stylizer(nn.Module):
    """(N, 3, H, W) in [0, 1] -> the same, in a style.

    residual: the network predicts what to add to the photo (as logits, so that no pixel leaves [0, 1]), and untrained
    the photo comes back within 0.01. Otherwise it paints anew, as the paper's does. styles: the names, if it has
    several; it is then also given the mix, (N, k), how much of each of the last k. If the first is PHOTO, it was
    trained to paint in any strength, and a mix of all says in its first column how much the photo stays. chosen: of a
    Stylizer with such a dial in one style, the mix, (styles,), that this style is.
    """

    settings = ("residual", "styles")  # as `common.models.blend` reads them

    def __init__(
        self,
        network: nn.Module,
        residual: bool,
        styles: Sequence[str] = (),
        chosen: Sequence[float] = (),
    ) -> None:
        super().__init__()
        self.network, self.residual, self.styles, self.chosen = network, residual, list(styles), list(chosen)

    @property
    def has_photo(self) -> bool:
        """Whether it was trained to paint in any strength."""
        return self.styles[:1] == [PHOTO]

    @property
    def names(self) -> list[str]:
        """Of the styles of which one can be chosen."""
        return self.styles[1:] if self.has_photo else self.styles

    @property
    def n_with_photo(self) -> int:
        """How many parts a mix has that says how much the photo stays as it is."""
        return len(self.styles) if self.has_photo else len(self.chosen)

    def mix_of(self, strength: float) -> list[float] | None:
        """How much of each style a painting has; None without a dial."""
        if not self.chosen:
            return None
        photo, *others = (strength * part for part in self.chosen)
        return [photo + 1 - strength, *others]

    def forward(self, photo: Tensor, mix: Tensor | None = None) -> Tensor:
        photo = as_plain(photo)
        if mix is None and self.chosen:
            mix = torch.tensor([self.chosen], device=photo.device).expand(len(photo), -1)
        logits = self.network(photo) if mix is None else self.network(photo, mix)
        if self.residual:
            logits = torch.logit(photo, eps=0.01) + logits
        if mix is not None and mix.shape[1] == self.n_with_photo:
            logits = with_photo(logits, photo, mix[:, 0])
        logits = logits.float()  # 8 bits are more than half precision has near 1
        return cast(Tensor, LiveSigmoid.apply(logits)) if self.training else logits.sigmoid()


def with_photo(logits: Tensor, photo: Tensor, part: Tensor | float) -> Tensor:
    """Logits of pictures (N, 3, H, W), of which `part` (N,) are the photo's own: all of them are the photo, to 8 bits.

    Instance norm forgets a photo's colours and contrast, so no scales and shifts could bring them back.
    """
    part = torch.as_tensor(part, dtype=photo.dtype, device=photo.device).clamp(0, 1).reshape(-1, 1, 1, 1)
    return part * torch.logit(photo, eps=1 / 512) + (1 - part) * logits


def get_model(config: StyleModelConfig, styles: Sequence[str] = ()) -> Stylizer:
    """A Stylizer as `config` describes it. styles: the names, if it has several, or may get more."""
    if config.johnson is not None:
        network = TransformationNetwork(config.johnson.width, len(styles), config.johnson.noise)
        return Stylizer(network, residual=False, styles=styles)
    return Stylizer(get_unet(config.unet or ModelConfig()), residual=True)  # StyleModelConfig has one of the two


def in_style(model: Stylizer, style: str | None) -> Stylizer:
    """A Stylizer of one style, with the same pictures: 'NAME' of a model of several, or a mix, 'NAME:0.6,OTHER:0.4'.

    A model of one style comes back as it is. One with a dial of strength keeps it. Raises UserError if there is no such
    style, or none is named.
    """
    if not model.styles:
        if style is not None:
            raise UserError(f"--style {style}: this model has one style, which needs no name")
        return model
    if style is None and len(model.names) == 1:
        style = model.names[0]
    if style is None:
        raise UserError(f"this model has several styles; choose one or a mix with --style: {', '.join(model.names)}")
    parts = dict.fromkeys(map(nfc, model.styles), 0.0)
    for word in nfc(style).split(","):
        name, colon, amount = word.strip().partition(":")
        if name not in parts:
            hint = did_you_mean(name, model.names) or f"; there are {', '.join(model.names)}"
            raise UserError(f"--style {style}: no style '{name}'{hint}")
        try:
            parts[name] += float(amount) if colon else 1.0
        except ValueError:
            raise UserError(f"--style {style}: '{amount}' is no number; write a mix as NAME:0.6,OTHER:0.4") from None
    total = sum(parts.values())
    if min(parts.values()) < 0 or not 0 < total < float("inf"):  # no NaN either
        raise UserError(f"--style {style}: each part must be 0 or more, and one of them more; all must be finite")
    network, mix = cast(TransformationNetwork, model.network), [part / total for part in parts.values()]
    if model.has_photo:
        return Stylizer(network, model.residual, chosen=mix).train(model.training)
    return Stylizer(network.in_style(mix), model.residual).train(model.training)


def each_style(model: Stylizer) -> dict[str, Stylizer]:
    """{name: Stylizer of one style}; 'prediction' for a model that has but one."""
    return {name: in_style(model, name) for name in model.names} or {"prediction": model}


def one_style(model: Stylizer) -> Stylizer:
    """The first style of a model of several, for fastai's `learn.predict`, which cannot choose."""
    return in_style(model, model.names[0]) if model.styles else model
