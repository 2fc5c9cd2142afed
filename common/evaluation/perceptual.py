"""How far apart two pictures are to a network: the VGG distance, DISTS, and LPIPS, which weighs channels as people do.

DISTS is described in `common.models.dists`. In the other two (Zhang et al. 2018, arXiv 1801.03924) the activations of
each pixel are scaled to length 1; squared differences are averaged over the pixels and added up over the layers.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import VGG16_Weights

from common.models.dists import DISTS
from common.models.lpips import BACKBONES, LPIPS, feature_distances
from common.models.vgg16 import VGG16Features
from common.models.weights import is_cached

log = logging.getLogger(__name__)

VGG_LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
MIN_SIDE, PIECE = 64, 1024  # pixels a side: smaller pictures are padded, larger ones are measured in pieces

MeasurePerceptual = Callable[[Mapping[str, Tensor], Tensor], dict[str, float]]
Metric = Callable[[Sequence[Tensor], Tensor], Sequence[Tensor]]  # (pictures, target) -> a number for each picture


def get_perceptual_metrics(
    vgg: str | None, lpips: str | None, device: torch.device
) -> tuple[MeasurePerceptual, list[str]]:
    """(measure, notes on what it measures); measure(results, target) -> {"name metric": value}, 0 if equal.

    results: {name: picture}; pictures and target: (1, 3, H, W) in [0, 1]. vgg: weights as `VGG16Features` takes them,
    for the VGG distance and DISTS, which is called DISTS-like with others than torchvision's, as its authors weigh the
    channels of those. lpips: as `common.models.lpips.LPIPS` takes them. None: torchvision's if they are in torch's
    cache, else the metric is left out. All notes are logged. Raises UserError if the given weights cannot be read or
    downloaded.
    """
    vgg = vgg16_at_hand(vgg)
    if lpips is None and find_spec("torchmetrics"):
        lpips = next((net for net, backbone in BACKBONES.items() if is_cached(backbone.weights)), None)
    metrics: dict[str, Metric] = {}
    notes: list[str] = []
    for measures, said in (through_vgg(vgg, device), through_lpips(lpips, device)):
        metrics |= measures
        notes += said
    for note in notes:
        log.info("%s", note)
    return partial(measure_perceptual, metrics, device), notes


def vgg16_at_hand(vgg: str | None) -> str | None:
    """The weights themselves, or if there are none 'torchvision' if it was downloaded before."""
    return vgg or ("torchvision" if is_cached(VGG16_Weights.IMAGENET1K_V1) else None)


def through_vgg(vgg: str | None, device: torch.device) -> tuple[dict[str, Metric], list[str]]:
    """({name: metric}, notes): the VGG distance and DISTS."""
    if vgg is None:
        missing = "no VGG16 weights on this machine (--vgg downloads or reads one)"
        return {}, [f"The VGG distance and DISTS are left out: {missing}."]
    name = "VGG-random" if vgg == "random" else "VGG"
    metrics: dict[str, Metric] = {name: VGGDistance(vgg).to(device)}
    notes = [f"{name} is the VGG distance{describe_weights(vgg)}."]
    if vgg == "random":
        notes.append("DISTS is left out: it weighs the channels of a VGG16 that has learned.")
    elif not find_spec("torchmetrics"):
        notes.append("DISTS is left out: the package torchmetrics is not on this machine.")
    else:
        name, whose = "DISTS", "that of its authors"
        if vgg != "torchvision":
            name = "DISTS-like"
            whose = f"DISTS{describe_weights(vgg)}, not torchvision's, whose channels its authors weigh"
        metrics[name] = partial(dists_distances, DISTS(vgg, key="--vgg").to(device))
        notes.append(f"{name} is {whose}.")
    return metrics, notes


def through_lpips(lpips: str | None, device: torch.device) -> tuple[dict[str, Metric], list[str]]:
    """({name: metric}, notes): LPIPS."""
    if lpips is None:
        missing = "no weights of its networks" if find_spec("torchmetrics") else "the package torchmetrics is not"
        return {}, [f"LPIPS is left out: {missing} on this machine (--lpips downloads or reads the weights)."]
    metric = LPIPS(lpips).to(device)
    name = "LPIPS" if metric.net == "alex" else f"LPIPS-{metric.net}"
    return {name: metric}, [f"{name} is {BACKBONES[metric.net].title}'s{describe_weights(lpips)}."]


def dists_distances(dists: DISTS, pictures: Sequence[Tensor], target: Tensor) -> list[Tensor]:
    """A number for each picture; those and the target: (1, 3, H, W) in [0, 1]."""
    target_activations = dists.activations(target)
    return [dists.distance(dists.activations(picture), target_activations)[0] for picture in pictures]


def describe_weights(weights: str) -> str:
    if weights in ("torchvision", *BACKBONES):
        return ""
    return f" with {'random weights' if weights == 'random' else Path(weights).name}"


@torch.inference_mode()
def measure_perceptual(
    metrics: Mapping[str, Metric], device: torch.device, results: Mapping[str, Tensor], target: Tensor
) -> dict[str, float]:
    """{"name metric": value} of results {name: picture}: averages over pieces, weighted by their area."""
    height, width = target.shape[-2:]
    figures = {f"{name} {metric}": 0.0 for name in results for metric in metrics}
    for top in range(0, height, PIECE):
        for left in range(0, width, PIECE):
            piece = (..., slice(top, top + PIECE), slice(left, left + PIECE))
            share = target[piece].shape[-2] * target[piece].shape[-1] / (height * width)
            *pictures, target_piece = (
                pad_to_min_side(picture[piece]).to(device) for picture in (*results.values(), target)
            )
            for metric, measure in metrics.items():
                for name, value in zip(results, measure(pictures, target_piece), strict=True):
                    figures[f"{name} {metric}"] += value.item() * share
    return figures


def pad_to_min_side(picture: Tensor) -> Tensor:
    """(1, 3, H, W), padded to sides of at least MIN_SIDE pixels."""
    height, width = picture.shape[-2:]
    return F.pad(picture, (0, max(0, MIN_SIDE - width), 0, max(0, MIN_SIDE - height)), mode="replicate")


class VGGDistance(nn.Module):
    """(pictures, target), each (1, 3, H, W) in [0, 1] -> a number for each picture.

    weights: as `common.models.vgg16.VGG16Features` takes them.
    """

    def __init__(self, weights: str) -> None:
        super().__init__()
        self.vgg = VGG16Features(VGG_LAYERS, weights, key="--vgg")

    def forward(self, pictures: Sequence[Tensor], target: Tensor) -> list[Tensor]:
        return feature_distances(self.unit_activations, [1.0] * len(VGG_LAYERS), pictures, target)

    def unit_activations(self, picture: Tensor) -> list[Tensor]:
        """The activations of each layer, scaled to length 1 over the channels."""
        return [F.normalize(activation) for activation in self.vgg(picture).values()]
