"""The Fréchet distance between coloured photos and the true ones, over a VGG16's features: one number for all photos.

The formula is that of Heusel et al. 2017 (arXiv 1706.08500), whose FID takes one vector a picture from another network
and needs tens of thousands of pictures. Here each place of a feature map is a sample, as in Shaham et al. 2019 (arXiv
1905.01164), so that the covariance of 512 channels has full rank with a photo of 256 x 256 pixels, which has 1,024.
"""

import logging
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from common.evaluation.perceptual import PIECE, describe_weights, pad_to_min_side
from common.models.vgg16 import VGG16Features
from common.runtime import processes

log = logging.getLogger(__name__)

METRIC = "Fréchet VGG16"
LAYER = "relu4_3"  # deep enough for parts of things, with four times the places of relu5_3


class SetDistance:
    """Takes photo by photo, and then says how far the results are from the true photos, all of them together.

    weights: of the VGG16, as `VGG16Features` takes them. Raises UserError as it does.
    """

    def __init__(self, weights: str, device: torch.device) -> None:
        self.vgg = VGG16Features([LAYER], weights, key="--vgg").to(device)
        self.device = device
        self.sums: dict[str, Tensor] = {}  # of `moments`, over the photos: each counts the same

    def add(self, pictures: Mapping[str, Tensor]) -> None:
        """Takes a photo's results and its 'target', {name: (1, 3, H, W) in [0, 1]}."""
        add_to(self.sums, {name: self.moments(picture) for name, picture in pictures.items()})

    @torch.inference_mode()
    def moments(self, picture: Tensor) -> Tensor:
        """(1 + C, 1 + C) in float64 on the CPU: the mean over a picture's places of x x^T, where x is 1 and the C
        channels. So its first row is 1 and their means, and the rest their products."""
        total = torch.zeros((), dtype=torch.float64)
        for piece in pieces(picture):
            places = self.vgg(piece.to(self.device))[LAYER][0].flatten(1).cpu().double()  # (C, places)
            places = torch.cat([torch.ones_like(places[:1]), places])
            total = total + places @ places.T
        return total / total[0, 0]

    def figures(self) -> dict[str, float]:
        """{"name metric": distance} of what was taken, in the main process by all processes that share the photos."""
        sums: dict[str, Tensor] = {}
        for part in processes.merge_shares({processes.rank(): self.sums}).values():
            add_to(sums, part)
        if not sums:
            return {}
        true = mean_and_covariance(sums.pop("target"))
        return {
            f"{name} {METRIC}": frechet_distance(*mean_and_covariance(total), *true) for name, total in sums.items()
        }


def get_set_distance(weights: str | None, device: torch.device) -> SetDistance | None:
    """The SetDistance of these weights, and a line that says so; None without weights that were learned."""
    if weights in (None, "random"):
        log.info("%s is left out: it needs a VGG16 that has learned (--vgg downloads or reads one).", METRIC)
        return None
    log.info("%s is over the %s of a VGG16%s, of all photos together.", METRIC, LAYER, describe_weights(weights))
    return SetDistance(weights, device)


def add_to(sums: dict[str, Tensor], more: Mapping[str, Tensor]) -> None:
    """Adds tensors to those of the same names, in place."""
    for name, tensor in more.items():
        sums[name] = sums[name] + tensor if name in sums else tensor


def mean_and_covariance(total: Tensor) -> tuple[Tensor, Tensor]:
    """((C,), (C, C)) of a sum of `SetDistance.moments`."""
    moments = total / total[0, 0]
    mean = moments[0, 1:]
    return mean, moments[1:, 1:] - mean.outer(mean)


def pieces(picture: Tensor) -> Iterator[Tensor]:
    """Of a picture (1, 3, H, W), small enough for a VGG16 to see them in little memory."""
    for rows in picture.split(PIECE, dim=2):
        yield from map(pad_to_min_side, rows.split(PIECE, dim=3))


def frechet_distance(mean: Tensor, covariance: Tensor, other_mean: Tensor, other_covariance: Tensor) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of two Gaussian distributions; 0 if they are equal.

    Means (C,), covariances (C, C), float64. The trace of (S1 S2)^(1/2) is that of the root of the symmetric matrix
    S1^(1/2) S2 S1^(1/2), so singular covariances are no trouble.
    """
    values, vectors = torch.linalg.eigh(covariance)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T
    overlap = torch.linalg.eigvalsh(root @ other_covariance @ root).clamp_min(0).sqrt().sum()
    distance = (mean - other_mean).square().sum() + covariance.trace() + other_covariance.trace() - 2 * overlap
    return max(0.0, distance.item())
