"""How far apart two pictures are to a network: the VGG distance, and LPIPS, which weighs channels as people judge.

Zhang et al. 2018 (arXiv 1801.03924): activations of each pixel are brought to length 1, squared differences averaged
over the pixels and added up over the layers. LPIPS is torchmetrics', over AlexNet.
"""

import logging
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import AlexNet_Weights, VGG16_Weights

from common.models.vgg16 import VGG16Features
from common.models.weights import read_weights_file, torchvision_if_cached
from common.runtime.errors import UserError

log = logging.getLogger(__name__)

VGG_LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
SMALLEST, PIECE = 64, 1024  # pixels a side: smaller pictures are padded, of larger ones pieces are averaged


def get_perceptual_metrics(vgg, lpips, device):
    """(measure, lines on what it measures); measure(results, target) -> {"kind metric": value}, 0 for what is alike.

    results: {kind: picture}, target: a picture, (1, 3, H, W) in [0, 1]. vgg: weights as `VGG16Features` takes them;
    lpips: 'torchvision' or a file of AlexNet's. None: torchvision's if this machine has them, else the metric is left
    out. All lines are logged. Raises UserError if weights that were asked for cannot be had.
    """
    vgg = vgg or torchvision_if_cached(VGG16_Weights.IMAGENET1K_V1)
    lpips = lpips or (torchvision_if_cached(AlexNet_Weights.IMAGENET1K_V1) if find_spec("torchmetrics") else None)
    metrics, notes = {}, []
    if vgg is None:
        notes.append("The VGG distance is left out: no VGG16 is on this machine (--vgg downloads or reads one).")
    else:
        name = "VGG-random" if vgg == "random" else "VGG"
        metrics[name] = VGGDistance(vgg).to(device)
        notes.append(f"{name} is the VGG distance{describe_weights(vgg)}.")
    if lpips is None:
        lack = "AlexNet's weights are not" if find_spec("torchmetrics") else "the package torchmetrics is not"
        notes.append(f"LPIPS is left out: {lack} on this machine (--lpips downloads or reads the weights).")
    else:
        metrics["LPIPS"] = LPIPS(lpips).to(device)
        notes.append(f"LPIPS is AlexNet's{describe_weights(lpips)}.")
    for note in notes:
        log.info("%s", note)
    return partial(measure_perceptual, metrics, device), notes


def describe_weights(weights):
    if weights == "torchvision":
        return ""
    return f" with {'random weights' if weights == 'random' else Path(weights).name}"


@torch.inference_mode()
def measure_perceptual(metrics, device, results, target):
    """metrics: {name: function([pictures], target) -> [number for each]}."""
    height, width = target.shape[-2:]
    figures = {f"{kind} {name}": 0.0 for kind in results for name in metrics}
    for top in range(0, height, PIECE):
        for left in range(0, width, PIECE):
            square = (..., slice(top, top + PIECE), slice(left, left + PIECE))
            part = target[square].shape[-2] * target[square].shape[-1] / (height * width)
            *pictures, piece = (pad_to_smallest(picture[square]).to(device) for picture in (*results.values(), target))
            for name, metric in metrics.items():
                for kind, value in zip(results, metric(pictures, piece), strict=True):
                    figures[f"{kind} {name}"] += value.item() * part
    return figures


def pad_to_smallest(picture):
    """The same with sides of SMALLEST pixels at least."""
    height, width = picture.shape[-2:]
    return F.pad(picture, (0, max(0, SMALLEST - width), 0, max(0, SMALLEST - height)), mode="replicate")


class VGGDistance(nn.Module):
    """[pictures], target, each (1, 3, H, W) in [0, 1] -> [number for each picture].

    weights: of `common.models.vgg16.VGG16Features`.
    """

    def __init__(self, weights):
        super().__init__()
        self.vgg = VGG16Features(VGG_LAYERS, weights, key="--vgg")

    def forward(self, pictures, target):
        target = self.look(target)
        return [
            sum((p - t).square().sum(dim=1).mean() for p, t in zip(self.look(picture), target, strict=True))
            for picture in pictures
        ]

    def unit_activations(self, picture):
        return [F.normalize(activation) for activation in self.vgg(picture).values()]


class LPIPS(nn.Module):
    """The same. weights: 'torchvision', or a .pth or .safetensors file of AlexNet in its layout."""

    def __init__(self, weights):
        super().__init__()
        if find_spec("torchmetrics") is None:
            raise UserError("--lpips: needs the package torchmetrics: pip install torchmetrics")
        from torchmetrics.functional.image.lpips import _LPIPS  # the public class downloads AlexNet as it likes

        state = read_weights_file(weights, "--lpips", AlexNet_Weights.IMAGENET1K_V1)
        self.lpips = _LPIPS(net="alex", pnet_rand=True)
        names = self.lpips.net.state_dict()  # "slice1.0.weight" is torchvision's "features.0.weight"
        try:
            self.lpips.net.load_state_dict({name: state[f"features.{name.partition('.')[2]}"] for name in names})
        except (KeyError, RuntimeError) as error:
            raise UserError(
                f"--lpips = {weights}: not an AlexNet in torchvision's layout (features.0.weight ...)"
            ) from error

    def forward(self, pictures, target):
        return [self.lpips(picture, target, normalize=True) for picture in pictures]
