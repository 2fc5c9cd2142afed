"""The loss of colourisation: that of pictures, and of a network that names colours how well it does."""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from colorize.bins import Classes, mean_color
from colorize.config import ColorLossConfig
from colorize.lab import get_ab
from colorize.network import paint
from common.losses.loss import PerceptualLoss

TERM = "color_classes"


def shrink_to(ab: Tensor, like: Tensor) -> Tensor:
    """(N, 2, H, W) -> (N, 2, h, w) of `like`, averaged."""
    return F.adaptive_avg_pool2d(ab, (like.shape[-2], like.shape[-1]))


class ColorLoss(PerceptualLoss):
    """A PerceptualLoss with the term `color_classes`, of the logits that `common.training.loss_context` brings."""

    def __init__(self, config: ColorLossConfig, centres: Tensor, weights: Tensor, vividness: float) -> None:
        super().__init__(config)
        self.colors, self.vividness = (centres, weights), vividness
        self.classes = Classes(centres, weights)

    def compute_terms(self, pred: Tensor, target: Tensor, *extra: Tensor) -> dict[str, Tensor]:
        terms = super().compute_terms(pred, target, *extra)
        if self.counts(TERM):
            with torch.autocast(target.device.type, enabled=False):
                logits = self.logits()
                ab = shrink_to(get_ab(target.as_subclass(Tensor).float()), logits)
                factor = self.config.weight(TERM) * self.factors.get(TERM, 1.0)
                terms[TERM] = factor * self.classes.loss(logits, ab)
        return terms

    def logits(self) -> Tensor:
        if self.output is None:
            raise ValueError("loss.color_classes: nobody has said what the network put out")
        return self.output

    def pulled(self, pred: Tensor) -> tuple[Tensor, Tensor]:
        """Terms of pictures and of classes meet in the logits: the picture made of them anew, and they."""
        self.output = logits = self.logits().detach().float().requires_grad_()
        grey = cast(Tensor, self.input).as_subclass(Tensor).float()
        centres, weights = (part.to(logits.device) for part in self.colors)
        return paint(grey, mean_color(logits, centres, weights, self.vividness)), logits
