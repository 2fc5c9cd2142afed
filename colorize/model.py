"""The colourisation network: a U-Net that sees the grey photo and predicts a* and b* for each of its pixels."""

from pathlib import Path

import torch
from torch import Tensor, nn

from colorize.config import ColorizeModelConfig, Config, DataConfig
from colorize.lab import set_ab, to_grey
from common.models.model_file import fill_weights, read_model_file, validate_section, write_model_file
from common.models.unet import Unet
from common.photos.pixels import as_plain
from common.runtime.errors import UserError

TASK_NAME = "colorize"
AB_SCALE = 100  # of a* and b* for each 1 that the U-Net puts out


class Colorizer(nn.Module):
    """(N, 3, H, W) in [0, 1] -> the same, coloured, with the L* of the input, whose own colours are ignored.

    Untrained it gives the grey photo. size: short side in pixels of the crops that it was trained on, and therefore of
    the copy of a photo on which it finds colours best.
    """

    def __init__(self, unet: nn.Module, size: int) -> None:
        super().__init__()
        self.unet, self.size = unet, size

    def forward(self, photo: Tensor) -> Tensor:
        photo = as_plain(photo)
        with torch.autocast(photo.device.type, enabled=False):
            grey = to_grey(photo.float())
        ab = AB_SCALE * self.unet(grey)
        with torch.autocast(photo.device.type, enabled=False):
            return set_ab(grey, ab.float())


def get_model(config: ColorizeModelConfig, size: int) -> Colorizer:
    """A Colorizer as `config` describes it."""
    unet = Unet(
        config.encoder,
        n_out=2,
        pretrained=config.pretrained,
        norm=config.norm,
        attention=config.attention,
        blur=config.blur,
    )
    return Colorizer(unet, size)


def save_model(path: Path, model: nn.Module, config: Config) -> None:
    """Writes a model file: the weights, and what rebuilds the model. No path of this machine is in it."""
    data = config.data.model_dump(mode="json", exclude={"path", "valid"})
    network = config.model.model_dump(mode="json", exclude={"pretrained"})
    values = {"model": network, "data": data, "size": config.train.largest_crop()}
    write_model_file(path, model, TASK_NAME, values)


def load_model(path: Path) -> Colorizer:
    """The Colorizer of a model file, in eval mode on the CPU. Needs no network.

    Raises UserError if it is not a complete model file of this task.
    """
    values, state = read_model_file(path, TASK_NAME)
    config = validate_section(path, ColorizeModelConfig, values.get("model"))
    validate_section(path, DataConfig, values.get("data"))
    if not isinstance(size := values.get("size"), int) or size < 1:
        raise UserError(f"{path}: its config lacks the size that the model was trained at")
    model = get_model(config.without_pretrained(), size)
    return fill_weights(path, model, state)
