"""The perceptual loss: a weighted sum of named terms, each reported by its name."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

import torch
from fastai.torch_core import TensorImage
from torch import Tensor, nn

from common.config.losses import LossConfig, NetworkTerm
from common.losses.artefacts import grid_loss, ldl_loss, tv_loss
from common.losses.color import chroma_loss, colorfulness_loss, input_loss, lowres_loss
from common.losses.contextual import contextual_distance
from common.losses.frequency import fft_loss, focal_frequency_loss
from common.losses.perceptual import DISTANCES, add_up, gram_matrix
from common.losses.pixels import charbonnier_loss, huber_loss, l1_loss, mse_loss, psnr_loss, psnr_mae_loss
from common.losses.structure import gradient_loss, laplacian_loss, ms_ssim_loss, ssim_loss
from common.losses.style import (
    channel_statistics,
    random_directions,
    sorted_distance,
    sorted_projections,
    statistics_distance,
)
from common.models.dists import DISTS
from common.models.loss_networks import get_features
from common.models.lpips import LPIPS, lpips_loss
from common.models.vgg16 import VGG16Features

Activations = Mapping[str, Tensor]  # by layer

PICTURE_TERMS: dict[str, Callable[..., Tensor]] = {  # (pred, target, **options) -> (N,)
    "l1": l1_loss,
    "mse": mse_loss,
    "charbonnier": charbonnier_loss,
    "huber": huber_loss,
    "psnr": psnr_loss,
    "psnr_mae": psnr_mae_loss,
    "ssim": ssim_loss,
    "ms_ssim": ms_ssim_loss,
    "gradient": gradient_loss,
    "laplacian": laplacian_loss,
    "fft": fft_loss,
    "focal_frequency": focal_frequency_loss,
    "chroma": chroma_loss,
    "lowres": lowres_loss,
    "colorfulness": colorfulness_loss,
    "tv": tv_loss,
    "ldl": ldl_loss,
    "grid": grid_loss,
}


class PerceptualLoss(nn.Module):
    """loss = sum of weight * term over the terms with a weight, between images (N, 3, H, W) in [0, 1], in float32.

    Under autocast networks work in half precision: they are most of the arithmetic. The terms do not: Gram matrices are
    sums that would overflow, and SSIM has differences that would cancel.

    `names` lists the terms; after a call `terms` holds each weighted term by name, detached: they add up to the loss.
    With `reduction` 'none' it returns the loss of each image, (N,), and so are the terms; fastai's `get_preds` sets it.
    extra: what a task's batches have besides pictures, for losses made of this one.

    `common.training.loss_context` says before each batch what the pictures do not: `progress`, the part of the training
    that is done (terms with `from` count later), `input`, what the network was given, `output`, what it put out before
    that became a picture, if it keeps it, `held_out`, whether the photos are, and `factors`, what `balance` multiplies
    the terms by.
    """

    reduction: Literal["mean", "none"] = "mean"

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        self.config = config
        self.names = config.active_terms()
        self.vgg: VGG16Features | None = None
        self.others = nn.ModuleDict()  # networks but for the VGG16 of `loss.vgg`
        self.network_of: dict[str, str] = {}  # of a term; '' is that VGG16
        self.build_networks(config)
        lpips = config.options("lpips").get("weights", "squeeze")
        self.lpips = LPIPS(lpips, key="loss.lpips") if "lpips" in self.names else None
        self.dists = DISTS(config.vgg, key="loss.vgg") if "dists" in self.names else None
        self.terms: dict[str, Tensor] = {}
        self.remembered: tuple[Tensor, dict[str, Activations]] | None = None  # a target and its activations
        self.progress = 1.0
        self.input: Tensor | None = None
        self.output: Tensor | None = None
        self.held_out = False
        self.factors: Mapping[str, float] = {}

    def build_networks(self, config: LossConfig) -> None:
        """The networks that terms look through, each once, as deep as the deepest of their layers."""
        terms = config.network_terms()
        keys = {name: (term.net, config.weights_of(term)) for name, term in terms.items()}
        for number, key in enumerate(dict.fromkeys(keys.values())):
            layers = sorted({layer for name, term in terms.items() if keys[name] == key for layer in term.layers})
            network = get_features(key[0], layers, key[1], key=f"loss.vgg{'' if key[0] == 'vgg16' else f' ({key[0]})'}")
            place = "" if key == ("vgg16", config.vgg) else str(number)
            self.network_of |= {name: place for name in terms if keys[name] == key}
            if place:
                self.others[place] = network
            else:
                self.vgg = cast(VGG16Features, network)

    def network(self, name: str) -> nn.Module:
        """The network of a term of activations."""
        place = self.network_of[name]
        return self.others[place] if place or self.vgg is None else self.vgg

    def activations(self, picture: Tensor) -> dict[str, Activations]:
        """{network: {layer: (N, C, h, w)}} of the networks whose terms count by now."""
        networks = {
            self.network_of[name]: self.network(name) for name in self.config.network_terms() if self.counts(name)
        }
        return {place: network(picture) for place, network in networks.items()}

    @torch.no_grad()
    def remember(self, target: Tensor) -> None:
        """Computes the activations of a target once, for many calls with this very tensor."""
        self.remembered = target, self.activations(target)

    def decodes(self, pred: Tensor) -> TensorImage:
        """A prediction as a picture, which fastai's `show_results` can draw."""
        return TensorImage(pred.clamp(0, 1))

    def forward(self, pred: Tensor, target: Tensor, *extra: Tensor) -> Tensor:
        terms = self.compute_terms(pred, target, *extra)
        if self.reduction == "mean":
            terms = {name: term.mean() for name, term in terms.items()}
        self.terms = {name: term.detach() for name, term in terms.items()}
        return add_up(terms.values())

    def compute_terms(self, pred: Tensor, target: Tensor, *extra: Tensor) -> dict[str, Tensor]:
        """{name: weight * term (N,)} of the terms that count by now, in float32, outside autocast but for networks."""
        known = self.remembered is not None and target is self.remembered[0]
        target_activations = self.remembered[1] if self.remembered is not None and known else {}
        pred, target = pred.as_subclass(Tensor).float(), target.as_subclass(Tensor).float()
        seen, true = (pred, target) if known else self.moved(pred, target)
        pred_activations = self.activations(seen)
        if not known:
            with torch.no_grad():
                target_activations = self.activations(true)
        learned = self.learned_distances(seen, true)
        with torch.autocast(pred.device.type, enabled=False):
            terms = learned | self.picture_terms(pred, target)
            for name, term in self.config.network_terms().items():
                if self.counts(name):
                    place = self.network_of[name]
                    pair = pred_activations[place], target_activations[place]
                    terms[name] = self.network_term(name, term, *pair, *extra)
        return {
            name: self.config.weight(name) * self.factors.get(name, 1.0) * terms[name]
            for name in self.names
            if name in terms
        }

    def moved(self, *pictures: Tensor) -> tuple[Tensor, ...]:
        """What the networks see: in training, without up to `jitter` rows and columns at the top and the left."""
        most = 0 if self.held_out or not self.training else min(self.config.jitter, min(pictures[0].shape[-2:]) // 4)
        if not most:
            return pictures
        top, left = torch.randint(most + 1, (2,)).tolist()
        return tuple(picture[..., top:, left:] for picture in pictures)

    def pulled(self, pred: Tensor) -> tuple[Tensor, Tensor]:
        """(the prediction, what of it the terms pull at): a picture without a history, twice."""
        pred = pred.detach().as_subclass(Tensor).float().requires_grad_()
        return pred, pred

    def counts(self, name: str) -> bool:
        """Whether a term counts by now."""
        return self.config.begin(name) <= self.progress

    def learned_distances(self, pred: Tensor, target: Tensor) -> dict[str, Tensor]:
        """LPIPS and DISTS, (N,)."""
        terms: dict[str, Tensor] = {}
        if self.lpips is not None and "lpips" in self.names and self.counts("lpips"):
            terms["lpips"] = lpips_loss(self.lpips, pred, target)
        if self.dists is not None and "dists" in self.names and self.counts("dists"):
            terms["dists"] = self.dists(pred, target)
        return terms

    def picture_terms(self, pred: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The terms of pixels, (N,)."""
        terms = {
            name: term(pred, target, **self.config.options(name))
            for name, term in PICTURE_TERMS.items()
            if name in self.names and self.counts(name)
        }
        if "input" in self.names and self.counts("input"):
            if self.input is None:
                raise ValueError("loss.input: nobody has said what the input was")
            terms["input"] = input_loss(pred, target, self.input.as_subclass(Tensor).float())
        return terms

    def network_term(
        self, name: str, term: NetworkTerm, pred: Activations, target: Activations, *extra: Tensor
    ) -> Tensor:
        """(N,) the sum over layers of layer weight * distance; times `parts` where a task's loss has some."""
        distances: list[Tensor] = []
        for layer, weight in term.layers.items():
            if name == "contextual":
                distance = contextual_distance(pred[layer], target[layer], **term.options())
            else:
                directions = self.directions(pred[layer]) if name == "sliced" else None
                ours = describe(name, pred[layer], directions)
                theirs = self.described_target(name, layer, target, directions, *extra)
                distance = compare(name, ours, theirs, **term.options())
            distances.append(weight * distance)
        return self.parts(*extra) * add_up(distances)

    def directions(self, activation: Tensor) -> Tensor:
        """Of a sliced distance: others in each step of a training; else the same ones, so that values compare."""
        is_fixed = self.remembered is not None or self.held_out or not self.training
        return random_directions(activation.shape[1], DIRECTIONS, activation, seed=0 if is_fixed else None)

    def parts(self, *extra: Tensor) -> Tensor | float:
        """(N,) what each picture counts in terms of activations, 1 on average."""
        return 1.0

    def described_target(
        self, name: str, layer: str, target: Activations, directions: Tensor | None, *extra: Tensor
    ) -> Tensor:
        """What the prediction's description of this layer is to come near to, (N or 1, ...)."""
        return describe(name, target[layer], directions)


DIRECTIONS = 64  # of a sliced distance


def describe(name: str, activation: Tensor, directions: Tensor | None) -> Tensor:
    """(N, C, h, w) -> what a term compares of it, (N, ...)."""
    if name == "gram":
        return gram_matrix(activation)
    if name == "statistics":
        return channel_statistics(activation)
    return activation if directions is None else sorted_projections(activation, directions)


def compare(name: str, pred: Tensor, target: Tensor, **options: Any) -> Tensor:
    """(N,) the distance between two such descriptions."""
    if name == "statistics":
        return statistics_distance(pred, target)
    if name == "sliced":
        return sorted_distance(pred, target)
    return DISTANCES[options["distance"]](pred, target.expand_as(pred))
