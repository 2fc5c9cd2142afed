"""Networks of the whole field: spandrel's architectures, as plain torch modules that train like any other.

The network is what spandrel makes of its own weights again, so that a file of them (`superres.export --spandrel`) gives
the same pictures in all programs that read files with spandrel.
"""

import copy
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from spandrel import MAIN_REGISTRY, ImageModelDescriptor, ModelDescriptor, SizeRequirements, UnsupportedModelError
from torch import Tensor, nn

from common.runtime.errors import UserError
from common.runtime.nearest import did_you_mean
from superres.fused import find_layers, fuse

# What architectures call the same things in their constructors.
SCALES = ("scale", "upscale", "up_scale", "upscale_factor", "upscaling_factor")
CHANNELS = (
    "dim_in", "in_ch", "in_chans", "in_channels", "in_nc", "inp_channels", "n_colors", "num_in_ch", "colors",
    "out_channels", "out_nc", "num_out_ch",
)  # fmt: skip
TRIED = (40, 53)  # height and width of the noise that a new network is tried on

Descriptor = ImageModelDescriptor[nn.Module]


class ArchitectureNetwork(nn.Module):
    """(N, 3, H, W) in [0, 1] -> (N, 3, scale H, scale W): a network of spandrel's, padded to what it demands.

    It computes in float32 where spandrel does not know that it can do with half precision.
    """

    def __init__(self, descriptor: Descriptor) -> None:
        super().__init__()
        self.net, self.scale, self.sizes = descriptor.model, descriptor.scale, descriptor.size_requirements
        self.precisions = precisions_of(descriptor)
        self.layout = find_layout(self.net)
        self.unfused: list[nn.Module] = []  # the network before `fuse`; in a list, so that it is no part of this one

    def fuse(self) -> None:
        """Makes each re-parametrised layer the convolution that it is. Raises UserError if there is none."""
        if not find_layers(self.net):
            raise UserError("model.fused: this architecture has no re-parametrised layers; leave it out")
        self.unfused = [copy.deepcopy(self.net)]
        fuse(self.net)

    @property
    def grid(self) -> int:
        """Tiles start at multiples of so many pixels."""
        return self.sizes.multiple_of

    def forward(self, low: Tensor) -> Tensor:
        height, width = (self.scale * side for side in low.shape[-2:])
        with allowed_precision(low, self.precisions):
            padded = pad(low, self.sizes).clone(memory_format=self.layout)  # RCAN writes into what it gets
            return self.net(padded)[..., :height, :width].float()

    def _apply(self, fn: Any, recurse: bool = True) -> "ArchitectureNetwork":
        return super()._apply(lambda tensor: lay_out(fn, tensor, self.layout), recurse)


def find_layout(network: nn.Module) -> torch.memory_format:
    """Channels-last for a network of convolutions alone, which it makes up to twice as fast; else contiguous.

    Where there is attention, activations are seen from another side (`view`), which channels-last does not allow.
    """
    is_mixed = any(isinstance(module, nn.Linear | nn.LayerNorm) for module in network.modules())
    return torch.contiguous_format if is_mixed else torch.channels_last


def lay_out(fn: Callable[[Tensor], Tensor], tensor: Tensor, layout: torch.memory_format) -> Tensor:
    """fn(tensor), which moves or casts it, in this layout if it has four dimensions."""
    if tensor.dim() == 5:  # torch's `to` asks for channels-last, which five dimensions cannot have
        return fn(tensor.flatten()).view(tensor.shape)
    return fn(tensor).contiguous(memory_format=layout if tensor.dim() == 4 else torch.contiguous_format)


def precisions_of(descriptor: Descriptor) -> set[torch.dtype]:
    """The kinds of half precision that spandrel knows an architecture to work in."""
    known = {torch.float16: descriptor.supports_half, torch.bfloat16: descriptor.supports_bfloat16}
    return {dtype for dtype, supported in known.items() if supported}


def allowed_precision(image: Tensor, allowed: set[torch.dtype]) -> AbstractContextManager[Any]:
    """Autocast as it is, unless it casts to something else than `allowed`; then it is off."""
    device = image.device.type
    if not torch.is_autocast_enabled(device) or torch.get_autocast_dtype(device) in allowed:
        return nullcontext()
    return torch.autocast(device, enabled=False)


def pad(image: Tensor, sizes: SizeRequirements) -> Tensor:
    """`image` with its right and bottom mirrored outwards to a size that fits, as spandrel does it.

    Where there is less to mirror, the border is repeated. No `if` asks for a side: an export would keep one answer.
    """
    if sizes.none:
        return image
    height, width = image.shape[-2:]
    right, below = (torch.sym_max(-side % sizes.multiple_of, sizes.minimum - side) for side in (width, height))
    if sizes.square:
        side = torch.sym_max(width + right, height + below)
        right, below = side - width, side - height
    mirrored: list[Any] = [0, torch.sym_min(right, width - 1), 0, torch.sym_min(below, height - 1)]  # SymInt in exports
    repeated: list[Any] = [0, right - mirrored[1], 0, below - mirrored[3]]
    return F.pad(F.pad(image, mirrored, mode="reflect"), repeated, mode="replicate")


@cache
def find_architectures() -> dict[str, type[nn.Module]]:
    """{name: class} of the networks in spandrel."""
    classes: dict[str, type[nn.Module]] = {}
    folder = importlib.import_module("spandrel.architectures")
    for module in pkgutil.iter_modules(folder.__path__, "spandrel.architectures."):
        if not module.name.rpartition(".")[2].startswith("_"):
            exported = vars(importlib.import_module(module.name))
            names = (name for name in exported["__all__"] if not name.endswith("Arch"))
            classes |= {name: exported[name] for name in names}
    return classes


def build_architecture(name: str, options: Mapping[str, Any], scale: int) -> ArchitectureNetwork:
    """A new network with its published start. options: of its constructor, but for its scale and channels.

    Raises UserError, which names the key, if there is no such architecture, or it cannot be built with these options,
    cannot be trained on pictures alone, or does not come back the same from a file of its weights.
    """
    classes = find_architectures()
    if name not in classes:
        raise UserError(f"model.architecture: spandrel has no {name}{suggest(name, classes)}")
    parameters = inspect.signature(classes[name]).parameters
    for option in options:
        if option in SCALES:
            raise UserError(f"model.options.{option}: is data.scale; leave it out")
        if option not in parameters:
            raise UserError(f"model.options.{option}: {name} has no such option{suggest(option, parameters)}")
    values: dict[str, Any] = {**dict.fromkeys(SCALES, scale), **dict.fromkeys(CHANNELS, 3)}
    if scale > 1 and "upsampler" in parameters and not parameters["upsampler"].default:
        values["upsampler"] = "pixelshuffle"
    values = {key: value for key, value in values.items() if key in parameters} | dict(options)
    needed = [key for key, p in parameters.items() if p.default is p.empty and key not in values]
    if needed:
        raise UserError(f"model.options: {name} also needs {', '.join(needed)}")
    try:
        network = classes[name](**values)
        descriptor = MAIN_REGISTRY.load(dict(network.state_dict()))
    except UnsupportedModelError:
        raise UserError(f"model.options: with these, spandrel does not recognise a {name} by its weights") from None
    except Exception as error:  # these constructors check little: any exception
        raise UserError(f"model.options: {name} cannot be built: {type(error).__name__}: {error}") from None
    return ArchitectureNetwork(checked(name, options, scale, descriptor, classes[name])).train()


def checked(
    name: str, options: Mapping[str, Any], scale: int, descriptor: ModelDescriptor, network_class: type[nn.Module]
) -> Descriptor:
    """The descriptor. Raises UserError unless it can be trained as one of `scale`, and opens as it was built."""
    if not isinstance(descriptor, ImageModelDescriptor) or descriptor.purpose not in ("SR", "Restoration"):
        raise UserError(f"model.architecture: {name} is for {descriptor.purpose}, not for whole photos")
    if not isinstance(descriptor.model, network_class):
        found = type(descriptor.model).__name__
        raise UserError(f"model.options: with these, spandrel takes the weights of {name} for those of {found}")
    if descriptor.scale != scale:
        raise UserError(f"data.scale = {scale}: {name} with these options enlarges {descriptor.scale} times")
    if (descriptor.input_channels, descriptor.output_channels) != (3, 3):
        raise UserError(f"model.options: {name} with these takes {descriptor.input_channels} channels, a photo has 3")
    found = getattr(descriptor.model, "hyperparameters", {})
    for option, value in options.items():
        if option in found and plain(found[option]) != plain(value):
            raise UserError(
                f"model.options.{option} = {value}: cannot be read from a file of weights; spandrel and the programs "
                f"that use it take {plain(found[option])}: leave it out"
            )
    height, width = TRIED
    image = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    try:
        # SPAN sets weights in eval mode, and spandrel calls it in inference mode, after which they cannot be trained.
        tried = copy.deepcopy(descriptor)
        with torch.inference_mode():
            ours, theirs = ArchitectureNetwork(tried).eval()(image), tried(image.clone())
    except Exception as error:  # as above
        raise UserError(
            f"model.options: {name} with these fails on a photo of {width} x {height} px: "
            f"{type(error).__name__}: {error}"
        ) from None
    if ours.shape != (1, 3, scale * height, scale * width) or not torch.allclose(ours.clamp(0, 1), theirs, atol=1e-4):
        raise UserError(f"model.architecture: {name} needs more than a photo, or returns more: not for training")
    return descriptor


def plain(value: Any) -> Any:
    """Lists for tuples, so that two values compare as YAML would have them."""
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def suggest(name: str, known: Iterable[str]) -> str:
    """What was probably meant, or all there is."""
    return did_you_mean(name, known) or f". There are {', '.join(sorted(known))}"


@torch.no_grad()
def start_at_zero(network: ArchitectureNetwork) -> None:
    """Zeroes the last convolution, so that what is added to a bicubic enlargement is nothing at first.

    Raises UserError if the network adds something of the photo to its result by itself.
    """
    called: list[nn.Module] = []
    hooks = [
        module.register_forward_hook(lambda module, *_: called.append(module))
        for module in network.modules()
        if isinstance(module, nn.Conv2d)
    ]
    was_training, image = network.training, torch.rand(1, 3, *TRIED, generator=torch.Generator().manual_seed(0))
    network.eval()
    network(image)
    for hook in hooks:
        hook.remove()
    for parameter in called[-1].parameters() if called else ():
        parameter.zero_()
    if network(image).any():
        raise UserError(
            "model.on_bicubic: this architecture adds the photo to its result by itself, or ends in no convolution; "
            "leave it out"
        )
    network.train(was_training)
