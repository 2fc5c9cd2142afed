"""Model files of others: whatever spandrel recognises, such as the models that chaiNNer and ComfyUI run."""

import logging
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from spandrel import MAIN_REGISTRY, ImageModelDescriptor, ModelTiling, UnsupportedModelError
from torch import Tensor, nn

from common.models.model_file import PICKLE_SUFFIXES
from common.runtime.errors import UserError
from superres.architectures import Descriptor, allowed_precision, find_layout, lay_out, precisions_of
from superres.fused import fuse
from superres.network import SuperResolver

log = logging.getLogger(__name__)

# Parts of image generators, which lie beside upscalers in people's folders, by what stands in their weights' names.
GENERATORS = {
    "lora_": "a LoRA",
    "diffusion_model.": "the whole",
    "text_model.": "a text encoder",
    "quant_conv.": "a VAE",
}


class CommunityNetwork(nn.Module):
    """(N, 3, H, W) in [0, 1] -> (N, 3, scale H, scale W) in [0, 1]: a model of others, called as spandrel calls it.

    One for grey pictures is given red, green and blue one after the other.
    """

    def __init__(self, descriptor: Descriptor) -> None:
        super().__init__()
        self.net, self.descriptor = descriptor.model, descriptor
        self.grid, self.precisions = descriptor.size_requirements.multiple_of, precisions_of(descriptor)
        self.layout = find_layout(self.net)
        self.net.register_forward_hook(show_infinite)

    def forward(self, low: Tensor) -> Tensor:
        with allowed_precision(low, self.precisions):
            channels = low if self.descriptor.input_channels == 3 else low.flatten(0, 1)[:, None]
            pictures = [self.descriptor(one.clone(memory_format=self.layout)) for one in channels.split(1)]
            return torch.cat(pictures).float().view(len(low), 3, *pictures[0].shape[-2:])

    def _apply(self, fn: Any, recurse: bool = True) -> "CommunityNetwork":
        return super()._apply(lambda tensor: lay_out(fn, tensor, self.layout), recurse)


def show_infinite(module: nn.Module, given: Any, output: Any) -> Any:
    """NaN in place of infinite values, which spandrel would clamp to white: whoever checks the result sees it.

    Some networks return more than the picture.
    """
    if isinstance(output, tuple | list):
        return type(output)(show_infinite(module, given, one) for one in output)
    if not isinstance(output, Tensor) or not output.is_floating_point():
        return output
    return torch.where(output.isfinite(), output, torch.nan)


def load_community_model(path: Path) -> SuperResolver:
    """The SuperResolver of a .pth or .safetensors file of others, in eval mode on the CPU. Runs no code from the file.

    Raises UserError if it cannot be read without running code, or spandrel does not know what it is, or it is for
    something else than whole photos.
    """
    descriptor = load_descriptor(path)
    tags = f" ({', '.join(descriptor.tags)})" if descriptor.tags else ""
    log.info("%s: %s%s, %dx, as spandrel reads it", path.name, descriptor.architecture.name, tags, descriptor.scale)
    if descriptor.tiling is not ModelTiling.SUPPORTED:
        log.info("it looks at the photo as a whole: tiles may not match. --tile with the photo's size avoids them")
    fuse(descriptor.model)  # so that it can be mixed with what was trained on from it
    return SuperResolver(CommunityNetwork(descriptor), descriptor.scale, upsample="after", residual=False).eval()


def load_descriptor(path: Path) -> Descriptor:
    """A file of others as spandrel opens it. Raises UserError as `load_community_model` does."""
    state = read_state(path)
    try:
        descriptor = MAIN_REGISTRY.load(state)
    except UnsupportedModelError:
        kind = next((name for part, name in GENERATORS.items() if any(part in key for key in state)), None)
        hint = f"; its weights look like {kind} of an image generator" if kind else ""
        raise UserError(f"{path}: neither a model of this program nor one that spandrel recognises{hint}") from None
    except UserError:
        raise
    except Exception as error:  # spandrel's loaders read shapes out of files unchecked
        kind = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
        raise UserError(f"{path}: spandrel takes it for a model it knows, but cannot open it ({kind})") from None
    name = descriptor.architecture.name
    if not isinstance(descriptor, ImageModelDescriptor) or descriptor.purpose not in ("SR", "Restoration"):
        raise UserError(f"{path}: {name}, a model for {descriptor.purpose}; this program is for whole photos")
    channels = descriptor.input_channels, descriptor.output_channels
    if channels not in ((3, 3), (1, 1)):
        raise UserError(f"{path}: {name} with {channels[0]} channels in and {channels[1]} out; a photo has 3")
    if not all(weights.isfinite().all() for weights in descriptor.model.parameters()):
        raise UserError(f"{path}: some of its weights are infinite or not numbers; it is broken, or its training was")
    return descriptor


def read_state(path: Path) -> dict[str, Any]:
    """What a file holds, tensors and plain values. Raises UserError if reading it would run code, or it is broken."""
    if not path.is_file():
        raise UserError(f"{path}: no such model file")
    try:
        if path.suffix.lower() not in PICKLE_SUFFIXES:
            return dict(safetensors.torch.load_file(path))
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and pickle raise many kinds
        raise UserError(
            f"{path}: cannot be read as weights alone ({type(error).__name__}). It is broken, or a pickle that would "
            "run code, which is refused: get it as .safetensors"
        ) from None
    if not isinstance(state, dict):
        raise UserError(f"{path}: holds a {type(state).__name__}, not the weights of a model")
    return state
