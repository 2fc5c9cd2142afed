"""The perceptual loss: a weighted sum of named terms, each reported by its name.

Feature and Gram terms follow Johnson et al. 2016 (arXiv 1603.08155) and Gatys et al. 2015 (1508.06576).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from fastai.torch_core import TensorImage
from kornia.losses import total_variation
from kornia.metrics import ssim as ssim_map
from torch import Tensor, nn

from common.config.sections import LayerTerm, LossConfig
from common.models.vgg16 import VGG16Features
from common.runtime.accelerator import never_rounded

LossFunction = Callable[[Tensor, Tensor], Tensor]  # (pred, target) -> mean over all images, or (N,)


def relative_mse(pred: Tensor, target: Tensor) -> Tensor:
    """(N,) squared error as a part of the target's mean square: 1 is as bad as predicting zero.

    All layers of a VGG count alike in it, although their activations differ a thousandfold in size.
    """
    return mean_square(pred - target) / mean_square(target).clamp_min(1e-12)


def mean_square(x: Tensor) -> Tensor:
    """(N, ...) -> (N,)."""
    return x.square().flatten(1).mean(dim=1)


DISTANCES: dict[str, LossFunction] = {  # of activations and of Gram matrices, (N,)
    "l1": lambda pred, target: (pred - target).abs().flatten(1).mean(dim=1),
    "mse": lambda pred, target: mean_square(pred - target),
    "relative": relative_mse,
}


class TimesItsTranspose(torch.autograd.Function):
    """F -> F F^T of (N, C, L). Its gradient, (G + G^T) F, is one product; autograd would compute two."""

    @staticmethod
    def forward(ctx: Any, flat: Tensor) -> Tensor:
        ctx.save_for_backward(flat)
        return flat @ flat.transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        (flat,) = ctx.saved_tensors
        return (gradient + gradient.transpose(1, 2)) @ flat


def gram_matrix(features: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, C): channel correlations F F^T / (C H W) in float32 (Johnson et al., section 3.2).

    Computed outside autocast: sums over H * W overflow half precision.
    """
    _, c, h, w = features.shape
    with torch.autocast(features.device.type, enabled=False):
        return TimesItsTranspose.apply(features.float().flatten(2)) / (c * h * w)


def negative_psnr(error: Tensor) -> Tensor:
    """(N,) mean errors of images with peak 1 -> their mean -PSNR = 10 log10(error), in dB. Perfect counts as -100."""
    return 10 * error.clamp_min(1e-10).log10().mean()


def psnr_loss(pred: Tensor, target: Tensor) -> Tensor:
    """Minus the peak signal-to-noise ratio in dB: 10 log10 of each image's mean squared error, averaged."""
    return negative_psnr((pred - target).square().mean(dim=(1, 2, 3)))


def psnr_mae_loss(pred: Tensor, target: Tensor) -> Tensor:
    """PSNR computed on the mean absolute error instead of the squared one: 10 log10(MAE) of each image, averaged."""
    return negative_psnr((pred - target).abs().mean(dim=(1, 2, 3)))


def ssim_loss(pred: Tensor, target: Tensor) -> Tensor:
    """1 - SSIM (Wang et al. 2004): 11 x 11 Gaussian window of sigma 1.5, no padding, mean over RGB. In [0, 2]."""
    similar = ssim_map(never_rounded(pred), never_rounded(target), window_size=11, max_val=1.0, padding="valid")
    return 1 - similar.mean().to(pred.dtype)


def tv_loss(pred: Tensor, target: Tensor) -> Tensor:
    """Anisotropic total variation of `pred`: the mean absolute step down plus the mean absolute step right."""
    return total_variation(pred, reduction="mean").mean()


PIXEL_TERMS: dict[str, LossFunction] = {
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

    styles: pictures, (1, 3, H, W) each: their Gram matrices, computed once, replace those of the target. With several,
    a call says which is whose: mix, (N, styles). `names` lists the terms; after a call `terms` holds each weighted term
    by name, detached: they add up to the loss.
    With `balanced` each style pulls alike on average, however strong its Gram matrices are; to train, not to measure.
    With `reduction` 'none' it returns the loss of each image, (N,), and so are the terms; fastai's `get_preds` sets it.
    """

    reduction: Literal["mean", "none"] = "mean"
    balanced: bool = False

    def __init__(self, config: LossConfig, *styles: Tensor) -> None:
        super().__init__()
        self.config = config
        self.names = config.active_terms()
        self.vgg = VGG16Features(config.vgg_layers(), config.vgg) if config.vgg_layers() else None
        self.terms: dict[str, Tensor] = {}
        self.remembered: tuple[Tensor, dict[str, Tensor]] | None = None  # a target and its activations
        self.style_grams = nn.ParameterDict()  # (styles, C, C) a layer; so that they move to the device with the loss
        if styles and config.gram is not None and self.vgg is not None:
            with torch.no_grad():
                grams = [gram_matrices(self.vgg(style), config.gram.layers) for style in styles]
            for name in config.gram.layers:
                together = torch.cat([gram[name] for gram in grams])
                self.style_grams[name] = nn.Parameter(together, requires_grad=False)

    @torch.no_grad()
    def remember(self, target: Tensor) -> None:
        """Computes the VGG16 activations of a target once, for many calls with this very tensor."""
        if self.vgg is not None:
            self.remembered = target, self.vgg(target)

    def decodes(self, pred: Tensor) -> TensorImage:
        """A prediction as a picture, which fastai's `show_results` can draw."""
        return TensorImage(pred.clamp(0, 1))

    def forward(self, pred: Tensor, target: Tensor, mix: Tensor | None = None) -> Tensor:
        if self.reduction == "mean":
            terms = self.compute_terms(pred, target, mix)
        else:
            mixes = [None] * len(pred) if mix is None else mix.split(1)
            images = [self.compute_terms(p[None], t[None], m) for p, t, m in zip(pred, target, mixes, strict=True)]
            terms = {name: torch.stack([image[name] for image in images]) for name in images[0]}
        self.terms = {name: term.detach() for name, term in terms.items()}
        return add_up(terms.values())

    def compute_terms(self, pred: Tensor, target: Tensor, mix: Tensor | None = None) -> dict[str, Tensor]:
        """{name: weight * term}, in float32 and outside autocast but for the VGG16."""
        pred_features: dict[str, Tensor] = {}
        target_features: dict[str, Tensor] = {}
        if self.remembered is not None and target is self.remembered[0]:
            target_features = self.remembered[1]
        pred, target = pred.as_subclass(Tensor), target.as_subclass(Tensor)
        pred, target = pred.float(), target.float()
        if self.vgg is not None:
            pred_features = self.vgg(pred)
            if not target_features:
                with torch.no_grad():
                    target_features = self.vgg(target)
        with torch.autocast(pred.device.type, enabled=False):
            return self.weighted_terms(pred, target, pred_features, target_features, mix)

    def weighted_terms(
        self,
        pred: Tensor,
        target: Tensor,
        pred_features: Mapping[str, Tensor],
        target_features: Mapping[str, Tensor],
        mix: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """{name: weight * term}, from images and their VGG16 activations."""
        config, parts = self.config, self.parts_of_styles(mix)
        terms: dict[str, Tensor] = {
            name: getattr(config, name) * term(pred, target) for name, term in PIXEL_TERMS.items() if name in self.names
        }
        if config.features is not None:
            terms["features"] = layer_distance(config.features, pred_features, target_features, parts)
        if config.gram is not None:
            layers = config.gram.layers
            target_grams = self.grams_of_styles(mix) or gram_matrices(target_features, layers)
            terms["gram"] = layer_distance(config.gram, gram_matrices(pred_features, layers), target_grams, parts)
        return terms

    def parts_of_styles(self, mix: Tensor | None) -> Tensor | float:
        """(N,) what each picture counts: inversely to its style's distance from nothing, and 1 on average of styles.

        Relative distances pull alike by themselves.
        """
        gram = self.config.gram
        if mix is None or not self.balanced or gram is None or gram.distance == "relative":
            return 1.0
        grams = dict(self.style_grams.items())
        sizes = add_up(
            weight * (grams[name].abs() if gram.distance == "l1" else grams[name].square()).mean(dim=(1, 2))
            for name, weight in gram.layers.items()
        )
        return mix.as_subclass(Tensor).float() @ (sizes.reciprocal() / sizes.reciprocal().mean())

    def grams_of_styles(self, mix: Tensor | None) -> dict[str, Tensor]:
        """{layer: (N, C, C)}, each picture's style; (1, C, C) if there is but one; {} if there is none."""
        grams: dict[str, Tensor] = dict(self.style_grams.items())
        if mix is None:
            return grams
        return {
            name: torch.einsum("ns,scd->ncd", mix.as_subclass(Tensor).float(), gram) for name, gram in grams.items()
        }


def gram_matrices(features: Mapping[str, Tensor], layers: Iterable[str]) -> dict[str, Tensor]:
    return {name: gram_matrix(features[name]) for name in layers}


def layer_distance(
    term: LayerTerm, pred: Mapping[str, Tensor], target: Mapping[str, Tensor], parts: Tensor | float = 1.0
) -> Tensor:
    """weight * sum over layers of layer weight * mean distance. parts: what each picture counts, (N,)."""
    distance = DISTANCES[term.distance]
    return term.weight * add_up(
        weight * (parts * distance(pred[name], target[name].expand_as(pred[name]))).mean()
        for name, weight in term.layers.items()
    )


def add_up(terms: Iterable[Tensor]) -> Tensor:
    return cast(Tensor, sum(terms))  # never the int 0: configs refuse a loss without terms or layers
