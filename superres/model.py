"""The super-resolution network: what the U-Net adds to a bicubic enlargement."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.models.model_file import fill_weights, has_no_metadata, read_model_file, validate_section, write_model_file
from common.models.unet import Unet
from common.photos.pixels import as_plain
from common.runtime.errors import UserError
from common.runtime.precision import DTYPES
from superres.bicubic import enlarge_by_convolution
from superres.config import Config, DataConfig, SuperresModelConfig
from superres.srcnn import SRCNN

TASK_NAME = "superres"
COMMUNITY_SUFFIXES = (".pth", ".pt", ".ckpt")


def resize_bicubic(image: Tensor, scale: float) -> Tensor:
    """(N, 3, H, W) -> (N, 3, H * scale, W * scale), antialiased when shrinking; MATLAB's imresize up to rounding."""
    if torch.compiler.is_exporting():
        return enlarge_by_convolution(image, int(scale))
    size = [round(side * scale) for side in image.shape[-2:]]
    # antialias=True also picks Keys' cubic with a = -0.5, which MATLAB and Pillow use; without it torch has -0.75.
    return F.interpolate(image, size=size, mode="bicubic", antialias=True)


class SuperResolver(nn.Module):
    """(N, 3, h, w) in [0, 1] -> (N, 3, scale h, scale w): bicubic enlargement + network. Untrained it is bicubic.

    unet: the network, a Unet or another. upsample: 'before' gives it the enlarged picture, as lesson 7 does; 'after'
    the small one, which ends in a pixel shuffle and is about twice as fast. residual: False if the network makes the
    whole picture, not what to add to bicubic.
    """

    def __init__(self, unet: nn.Module, scale: int, upsample: str, residual: bool = True) -> None:
        super().__init__()
        self.unet, self.scale, self.upsample, self.residual = unet, scale, upsample, residual
        self.strength = 1.0  # of what the network adds

    @property
    def grid(self) -> int:
        """Tiles of a photo start at multiples of so many pixels."""
        return getattr(self.unet, "grid", 1)

    def forward(self, low: Tensor) -> Tensor:
        low = as_plain(low)
        if not self.residual and self.strength == 1:
            return self.unet(low)
        enlarged = resize_bicubic(low, self.scale)
        result = self.unet(low if self.upsample == "after" else enlarged)
        added = result if self.residual else result - enlarged
        return enlarged + (added if self.strength == 1 else self.strength * added)


def get_model(config: SuperresModelConfig, scale: int) -> SuperResolver:
    """A SuperResolver as `config` describes it."""
    if config.network == "srcnn":
        return SuperResolver(SRCNN(), scale, upsample="before")
    if config.network == "spandrel":
        return get_architecture(config, scale)
    unet = Unet(
        config.encoder,
        pretrained=config.pretrained,
        norm=config.norm,
        attention=config.attention,
        blur=config.blur,
        upscale=scale if config.upsample == "after" else 1,
    )
    return SuperResolver(unet, scale, config.upsample)


def get_architecture(config: SuperresModelConfig, scale: int) -> SuperResolver:
    """A SuperResolver with an architecture of spandrel's. Raises ValueError if it cannot be built or trained."""
    from superres.architectures import build_architecture, start_at_zero  # spandrel is optional

    network = build_architecture(config.architecture or "", config.options, scale)
    if config.on_bicubic:
        start_at_zero(network)
    return SuperResolver(network, scale, upsample="after", residual=config.on_bicubic)


def check_architecture(config: SuperresModelConfig, scale: int, precision: str) -> None:
    """Raises ValueError if the architecture of `config` cannot be built, or trained in this precision."""
    with torch.random.fork_rng(devices=[]):
        model = get_architecture(config, scale)
    try:
        check_precision(model, precision)
    except UserError as error:
        raise ValueError(f"train.precision = {precision}: {error}") from None


def check_precision(model: SuperResolver, precision: str) -> None:
    """Raises UserError if half precision is asked for, and spandrel does not know the architecture to work in it."""
    dtype, allowed = DTYPES.get(precision), getattr(model.unet, "precisions", DTYPES.values())
    if dtype is not None and dtype not in allowed:
        name = type(model.unet.net).__name__
        raise UserError(f"{name} is not known to work in {precision}; auto chooses one that it works in")


def save_model(path: Path, model: nn.Module, config: Config) -> None:
    """Writes a model file: the weights, and what rebuilds the model and its input. No path of this machine is in it."""
    data = config.data.model_dump(mode="json", exclude={"path", "valid", "low"})
    network = config.model.model_dump(mode="json", exclude={"pretrained"})
    write_model_file(path, model, TASK_NAME, {"model": network, "data": data})


def load_model(path: Path) -> SuperResolver:
    """The SuperResolver of a model file, in eval mode on the CPU. Needs no network.

    Raises UserError if it is not a complete model file of this task.
    """
    values, state = read_model_file(path, TASK_NAME)
    config = validate_section(path, SuperresModelConfig, values.get("model"))
    data = read_data_section(path, values)
    try:
        model = get_model(config.without_pretrained(), data.scale)
    except ValueError as error:
        raise UserError(f"{path}: its network cannot be built by this version of spandrel: {error}") from None
    return fill_weights(path, model, state)


def load_any_model(path: Path) -> SuperResolver:
    """`load_model`, and files of others that spandrel recognises: .pth, .pt, .ckpt, and .safetensors without a config.

    Raises UserError as `load_model` and `superres.community.load_community_model` do.
    """
    if not is_of_others(path):
        return load_model(path)
    if find_spec("spandrel") is None:
        raise UserError(f'{path}: a model of another program; to open it: pip install "perceptual-enhance[spandrel]"')
    from superres.community import load_community_model

    return load_community_model(path)


def is_of_others(path: Path) -> bool:
    """Whether a model file was not written by this program, by its name or its metadata."""
    suffix = path.suffix.lower()
    return suffix in COMMUNITY_SUFFIXES or (suffix == ".safetensors" and has_no_metadata(path))


def read_data_config(path: Path) -> DataConfig:
    """How the input of a model file's model was made from photos. Raises UserError as `load_model` does."""
    values, _ = read_model_file(path, TASK_NAME)
    return read_data_section(path, values)


def read_data_section(path: Path, values: Mapping[str, Any]) -> DataConfig:
    """The DataConfig of a model file's config. Older files say `blur` and `noise` in place of `degrade`."""
    data = dict(values.get("data") or {})
    blur, noise = data.pop("blur", 0), data.pop("noise", 0)
    if blur or noise:
        sides = {"blur": {"sigma": float(blur)} if blur else None, "noise": {"sigma": float(noise)} if noise else None}
        data["degrade"] = [sides]
    return validate_section(path, DataConfig, data)
