"""The contextual distance: how far activations are from the nearest of the target's, wherever in the picture it is."""

import torch
import torch.nn.functional as F
from torch import Tensor

MAX_POSITIONS = 4096  # a matrix of as many rows and columns takes 64 MB a picture


def contextual_distance(pred: Tensor, target: Tensor, bandwidth: float = 0.5) -> Tensor:
    """(N,) -log CX of activations (N, C, h, w) and (N or 1, C, h', w'): 0, where each finds its like, to log h' w'.

    Mechrez et al. 2018 (arXiv 1803.02077). d_ij: the cosine distance of position i of pred to j of the target, both
    less the target's mean; d~_ij = d_ij / (min_j d_ij + 1e-5); CX_ij: exp((1 - d~_ij) / bandwidth) as a part of its sum
    over j; CX: the mean over j of the maximum over i. Activations of more than `MAX_POSITIONS` are thinned.
    """
    pred, target = thin(pred).flatten(2), thin(target).flatten(2)
    center = target.mean(dim=2, keepdim=True)
    pred, target = (F.normalize(x - center, eps=1e-6) for x in (pred, target))
    with torch.autocast(pred.device.type, enabled=False):  # 1 - cosine of near neighbours needs all bits
        distance = (1 - pred.mT @ target).clamp_min(0)
    relative = distance / (distance.amin(dim=2, keepdim=True) + 1e-5)
    similarity = F.softmax(-relative / bandwidth, dim=2)  # exp(1 / bandwidth) is in each, and in the sum
    return -similarity.amax(dim=1).mean(dim=1).log()


def thin(features: Tensor) -> Tensor:
    """Every k-th row and column of (N, C, h, w), so that `MAX_POSITIONS` are left at most."""
    k = 1
    while features[0, 0, ::k, ::k].numel() > MAX_POSITIONS:
        k += 1
    return features[..., ::k, ::k]
