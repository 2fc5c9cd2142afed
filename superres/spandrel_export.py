"""A trained model as the plain weights of its architecture, which spandrel, and the programs built on it, open.

And what has to be made plain in one before an ONNX file can hold it.
"""

import copy
import logging
from collections.abc import Callable
from pathlib import Path
from typing import cast

import safetensors.torch
import torch
import torch.nn.functional as F
from spandrel import ImageModelDescriptor, ModelLoader
from torch import Tensor

from common.models.model_file import folded_state_dict
from common.runtime.errors import UserError
from common.runtime.files import atomic_write
from superres.architectures import ArchitectureNetwork
from superres.fused import unfuse
from superres.network import SuperResolver

log = logging.getLogger(__name__)

SIZES = ((64, 96), (37, 51))  # height and width of the pictures that a file is checked on
TOLERANCE = 1 / 255


def export_spandrel(path: Path, model: SuperResolver) -> float:
    """Writes the weights of `model`, in eval mode on the CPU, and says what spandrel takes them for.

    Returns by how much the pictures that spandrel makes with the file differ at most, in [0, 1]. Raises UserError if
    the model is of another network, or was trained on top of bicubic, or the pictures differ by more than 1/255; then
    there is no file.
    """
    if not isinstance(model.unet, ArchitectureNetwork):
        raise UserError("--spandrel is for models with network: spandrel; for others there is -o FILE.onnx")
    if model.residual:
        raise UserError("--spandrel: this model adds to bicubic (model.on_bicubic), which no other program does")
    weights = folded_state_dict(model.unet.net)
    if model.unet.unfused:
        weights = unfuse(copy.deepcopy(model.unet.unfused[0]).float(), weights)
    weights = {name: value.contiguous() for name, value in weights.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(weights, {"format": "pt"}))
        descriptor = cast(ImageModelDescriptor, ModelLoader().load_from_file(temporary))
        difference = max(largest_difference(descriptor, model, size) for size in SIZES)
        if difference > TOLERANCE:
            raise UserError(f"{path}: not written: spandrel's pictures differ by {255 * difference:.1f} of 255")
    log.info(
        "%s  %.1f MB; spandrel reads it as %s, %dx; at most %.4f of 255 off",
        path, path.stat().st_size / 1e6, descriptor.architecture.name, descriptor.scale, 255 * difference,
    )  # fmt: skip
    return difference


@torch.inference_mode()
def largest_difference(descriptor: Callable[[Tensor], Tensor], model: SuperResolver, size: tuple[int, int]) -> float:
    """Between spandrel's picture and the model's, of soft blots: of noise, networks make values far out of range."""
    blots = torch.rand(1, 3, size[0] // 8, size[1] // 8, generator=torch.Generator().manual_seed(0))
    image = F.interpolate(blots, size, mode="bilinear")
    return float((descriptor(image.clone()) - model(image).clamp(0, 1)).abs().max())


@torch.no_grad()
def with_plain_convolutions(model: SuperResolver) -> SuperResolver:
    """Replaces each layer of SPAN's by the one convolution that it is in eval mode, in place; returns the model.

    Such a layer sets the weights of that convolution in each pass, and no export follows that.
    """
    layers = [
        (parent, name, child.eval_conv)
        for parent in model.modules()
        for name, child in parent.named_children()
        if hasattr(child, "eval_conv")
    ]
    if layers:
        model(torch.zeros(1, 3, 32, 32))  # sets them; not in inference mode, whose tensors no export takes
    for parent, name, convolution in layers:
        setattr(parent, name, convolution)
    return model
