"""The super-resolution network: what the U-Net adds to a bicubic enlargement."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from common.models.model_file import fill_weights, read_model_file, validate_section, write_model_file
from common.models.unet import Unet
from superres.config import Config, DataConfig, SuperresModelConfig
from superres.srcnn import SRCNN

TASK_NAME = "superres"


def resize_bicubic(image: Tensor, scale: float) -> Tensor:
    """(N, 3, H, W) -> (N, 3, H * scale, W * scale), antialiased when shrinking; MATLAB's imresize up to rounding."""
    size = [round(side * scale) for side in image.shape[-2:]]
    # antialias=True also picks Keys' cubic with a = -0.5, which MATLAB and Pillow use; without it torch has -0.75.
    return F.interpolate(image, size=size, mode="bicubic", antialias=True)


class SuperResolver(nn.Module):
    """(N, 3, h, w) in [0, 1] -> (N, 3, scale h, scale w): bicubic enlargement + network. Untrained it is bicubic.

    unet: the network, a Unet or SRCNN. upsample: 'before' gives it the enlarged picture, as lesson 7 does; 'after'
    the small one, which ends in a pixel shuffle and is about twice as fast.
    """

    def __init__(self, unet: nn.Module, scale: int, upsample: str) -> None:
        super().__init__()
        self.unet, self.scale, self.upsample = unet, scale, upsample
        self.strength = 1.0  # of what the network adds

    def forward(self, low: Tensor) -> Tensor:
        low = low.as_subclass(Tensor)
        enlarged = resize_bicubic(low, self.scale)
        added = self.unet(low if self.upsample == "after" else enlarged)
        return enlarged + (added if self.strength == 1 else self.strength * added)


def get_model(config: SuperresModelConfig, scale: int) -> SuperResolver:
    """A SuperResolver as `config` describes it."""
    if config.network == "srcnn":
        return SuperResolver(SRCNN(), scale, upsample="before")
    unet = Unet(
        config.encoder,
        pretrained=config.pretrained,
        norm=config.norm,
        attention=config.attention,
        blur=config.blur,
        upscale=scale if config.upsample == "after" else 1,
    )
    return SuperResolver(unet, scale, config.upsample)


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
    model = get_model(config.without_pretrained(), data.scale)
    return fill_weights(path, model, state)


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
