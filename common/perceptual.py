"""How far apart two pictures are to a network: the VGG distance, which is always there, and LPIPS, if it can be had.

Zhang et al. 2018 (arXiv 1801.03924): activations of each pixel are brought to length 1, and squared differences are
averaged over the pixels and added up over the layers. LPIPS weighs channels as people judge, the VGG distance does not.
"""

import logging
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import AlexNet_Weights, VGG16_Weights

from common.errors import UserError
from common.features import VGG16Features, read_weights_file

log = logging.getLogger(__name__)

LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
SMALLEST, PIECE = 64, 1024  # pixels a side: smaller pictures are padded, of larger ones pieces are averaged


def get_perceptual(vgg, lpips, device):
    """({name: function(pred, target) -> float}, lines on what they are). Pictures: (1, 3, H, W) in [0, 1]; 0 is alike.

    vgg: weights as `common.features.VGG16Features` takes them; None: torchvision's if this machine has them, else
    random ones, under another name. lpips: 'torchvision' or a file of AlexNet's weights; None: torchvision's if this
    machine has them, else LPIPS is left out. The lines are logged, too. Raises UserError if weights cannot be had.
    """
    if vgg is None:
        vgg = "torchvision" if is_downloaded(VGG16_Weights.IMAGENET1K_V1) else "random"
    if vgg == "random":
        name, note = "VGG-random", "VGG-random is the VGG distance with random weights (--vgg gives others)."
    else:
        name = "VGG"
        note = f"VGG is the VGG distance{'' if vgg == 'torchvision' else f' with {Path(vgg).name}'}."
    metrics, notes = {name: partial(measure, VGGDistance(vgg).to(device), device)}, [note]
    if find_spec("torchmetrics") is None:
        if lpips is not None:
            raise UserError("--lpips: needs the package torchmetrics: pip install torchmetrics")
        notes.append("LPIPS is left out: it needs the package torchmetrics.")
    elif lpips is None and not is_downloaded(AlexNet_Weights.IMAGENET1K_V1):
        notes.append("LPIPS is left out: AlexNet's weights are not on this machine (--lpips downloads or reads them).")
    else:
        network = get_lpips(lpips or "torchvision").to(device)
        metrics["LPIPS"] = partial(measure, partial(network, normalize=True), device)  # of pictures in [0, 1]
        notes.append(f"LPIPS is AlexNet's{'' if lpips in (None, 'torchvision') else f', {Path(lpips).name}'}.")
    for note in notes:
        log.info("%s", note)
    return metrics, notes


def is_downloaded(weights):
    """Whether torch's cache holds these torchvision weights."""
    return (Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name).is_file()


@torch.inference_mode()
def measure(distance, device, pred, target):
    """distance(pred, target) as a float, of pictures of any size, computed on `device`."""
    height, width = target.shape[-2:]
    total = 0.0
    for top in range(0, height, PIECE):
        for left in range(0, width, PIECE):
            square = (..., slice(top, top + PIECE), slice(left, left + PIECE))
            pieces = [pad(picture[square]).to(device) for picture in (pred, target)]
            area = (min(top + PIECE, height) - top) * (min(left + PIECE, width) - left)
            total += distance(*pieces).item() * area
    return total / (height * width)


def pad(picture):
    """The same with sides of SMALLEST pixels at least."""
    height, width = picture.shape[-2:]
    return F.pad(picture, (0, max(0, SMALLEST - width), 0, max(0, SMALLEST - height)), mode="replicate")


class VGGDistance(nn.Module):
    """(1, 3, H, W), the same in [0, 1] -> a tensor of one number. weights: of `common.features.VGG16Features`."""

    def __init__(self, weights):
        super().__init__()
        self.vgg = VGG16Features(LAYERS, weights, key="--vgg")

    def forward(self, pred, target):
        pred, target = (map(F.normalize, self.vgg(picture).values()) for picture in (pred, target))
        return sum((p - t).square().sum(dim=1).mean() for p, t in zip(pred, target, strict=True))


def get_lpips(weights):
    """torchmetrics' LPIPS over AlexNet: (1, 3, H, W), the same -> a tensor of one number.

    weights: 'torchvision', or a file in its layout. Raises UserError if they cannot be had.
    """
    from torchmetrics.functional.image.lpips import _LPIPS

    if weights == "torchvision":
        try:
            state = AlexNet_Weights.IMAGENET1K_V1.get_state_dict(progress=True, check_hash=True)
        except URLError as error:
            raise UserError(
                f"--lpips torchvision: AlexNet's weights could not be downloaded ({error.reason}); give a file"
            ) from error
    else:
        state = read_weights_file(weights, "--lpips")
    lpips = _LPIPS(net="alex", pnet_rand=True)  # its own weights come with the package; AlexNet's would be downloaded
    try:
        # Ours "slice1.0.weight" is torchvision's "features.0.weight".
        lpips.net.load_state_dict(
            {name: state[f"features.{name.partition('.')[2]}"] for name in lpips.net.state_dict()}
        )
    except (KeyError, RuntimeError) as error:
        raise UserError(f"--lpips {weights}: not an AlexNet in torchvision's layout (features.0.weight ...)") from error
    return lpips
