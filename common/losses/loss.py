"""The perceptual loss: a weighted sum of named terms, each reported by its name."""

from collections.abc import Callable, Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from fastai.torch_core import TensorImage
from torch import Tensor, nn

from common.config.sections import LossConfig
from common.losses.artefacts import tv_loss
from common.losses.perceptual import add_up, gram_matrices, layer_distance
from common.losses.pixels import psnr_loss, psnr_mae_loss
from common.losses.structure import ssim_loss
from common.models.vgg16 import VGG16Features

PIXEL_TERMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {  # (pred, target) -> mean over all images
    "l1": F.l1_loss,
    "mse": F.mse_loss,
    "psnr": psnr_loss,
    "psnr_mae": psnr_mae_loss,
    "ssim": ssim_loss,
    "tv": tv_loss,
}


class PerceptualLoss(nn.Module):
    """loss = sum of weight * term over the terms with a weight, between images (N, 3, H, W) in [0, 1], in float32.

    Under autocast the VGG16 works in half precision: it is most of the arithmetic. The terms do not: Gram matrices are
    sums that would overflow, and SSIM has differences that would cancel.

    `names` lists the terms; after a call `terms` holds each weighted term by name, detached: they add up to the loss.
    With `reduction` 'none' it returns the loss of each image, (N,), and so are the terms; fastai's `get_preds` sets it.
    extra: what a task's batches have besides pictures, for losses made of this one.
    """

    reduction: Literal["mean", "none"] = "mean"

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        self.config = config
        self.names = config.active_terms()
        self.vgg = VGG16Features(config.vgg_layers(), config.vgg) if config.vgg_layers() else None
        self.terms: dict[str, Tensor] = {}
        self.remembered: tuple[Tensor, dict[str, Tensor]] | None = None  # a target and its activations

    @torch.no_grad()
    def remember(self, target: Tensor) -> None:
        """Computes the VGG16 activations of a target once, for many calls with this very tensor."""
        if self.vgg is not None:
            self.remembered = target, self.vgg(target)

    def decodes(self, pred: Tensor) -> TensorImage:
        """A prediction as a picture, which fastai's `show_results` can draw."""
        return TensorImage(pred.clamp(0, 1))

    def forward(self, pred: Tensor, target: Tensor, *extra: Tensor) -> Tensor:
        if self.reduction == "mean":
            terms = self.compute_terms(pred, target, *extra)
        else:
            images = [self.compute_terms(*(t[None] for t in image)) for image in zip(pred, target, *extra, strict=True)]
            terms = {name: torch.stack([image[name] for image in images]) for name in images[0]}
        self.terms = {name: term.detach() for name, term in terms.items()}
        return add_up(terms.values())

    def compute_terms(self, pred: Tensor, target: Tensor, *extra: Tensor) -> dict[str, Tensor]:
        """{name: weight * term}, in float32 and outside autocast but for the VGG16."""
        pred_features: dict[str, Tensor] = {}
        target_features: dict[str, Tensor] = {}
        if self.remembered is not None and target is self.remembered[0]:
            target_features = self.remembered[1]
        pred, target = pred.as_subclass(Tensor).float(), target.as_subclass(Tensor).float()
        if self.vgg is not None:
            pred_features = self.vgg(pred)
            if not target_features:
                with torch.no_grad():
                    target_features = self.vgg(target)
        with torch.autocast(pred.device.type, enabled=False):
            return self.weighted_terms(pred, target, pred_features, target_features, *extra)

    def weighted_terms(
        self,
        pred: Tensor,
        target: Tensor,
        pred_features: Mapping[str, Tensor],
        target_features: Mapping[str, Tensor],
        *extra: Tensor,
    ) -> dict[str, Tensor]:
        """{name: weight * term}, from images and their VGG16 activations."""
        config, parts = self.config, self.parts(*extra)
        terms: dict[str, Tensor] = {
            name: getattr(config, name) * term(pred, target) for name, term in PIXEL_TERMS.items() if name in self.names
        }
        if config.features is not None:
            terms["features"] = layer_distance(config.features, pred_features, target_features, parts)
        if config.gram is not None:
            grams = gram_matrices(pred_features, config.gram.layers)
            terms["gram"] = layer_distance(config.gram, grams, self.target_grams(target_features, *extra), parts)
        return terms

    def parts(self, *extra: Tensor) -> Tensor | float:
        """(N,) what each picture counts in features and Gram matrices, 1 on average."""
        return 1.0

    def target_grams(self, target_features: Mapping[str, Tensor], *extra: Tensor) -> Mapping[str, Tensor]:
        """{layer: (N, C, C) or (1, C, C)}: the Gram matrices to come near to."""
        return gram_matrices(target_features, self.config.gram.layers if self.config.gram else ())
