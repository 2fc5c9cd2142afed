"""The colourisation network: a U-Net that sees the grey photo and says a* and b* for each of its pixels."""

import torch
from torch import nn

from colorize.config import DataConfig
from colorize.lab import set_ab, to_grey
from common.config.sections import ModelConfig
from common.models.model_file import fill_weights, read_model_file, validate_section, write_model_file
from common.models.unet import Unet
from common.runtime.errors import UserError

TASK = "colorize"
AB_UNIT = 100  # of a* and b* for each 1 that the U-Net puts out


class Colorizer(nn.Module):
    """(N, 3, H, W) in [0, 1] -> the same, coloured, with the L* of the input, whose own colours are not looked at.

    Untrained it gives the grey photo.
    """

    def __init__(self, unet):
        super().__init__()
        self.unet = unet

    def forward(self, photo):
        photo = photo.as_subclass(torch.Tensor)
        with torch.autocast(photo.device.type, enabled=False):
            grey = to_grey(photo.float())
        ab = AB_UNIT * self.unet(grey)
        with torch.autocast(photo.device.type, enabled=False):
            return set_ab(grey, ab.float())


def get_model(config: ModelConfig):
    """A Colorizer as `config` describes it."""
    unet = Unet(
        config.encoder,
        n_out=2,
        pretrained=config.pretrained,
        norm=config.norm,
        attention=config.attention,
        blur=config.blur,
    )
    return Colorizer(unet)


def save(path, model, config):
    """Writes a model file with what rebuilds the model and the size it was trained at; no path of this machine."""
    data = config.data.model_dump(mode="json", exclude={"path", "valid"})
    values = {"model": config.model.model_dump(mode="json"), "data": data, "size": config.train.largest_crop()}
    write_model_file(path, model, TASK, values)


def load_model(path):
    """(Colorizer in eval mode on the CPU, the crop size that it was trained at) from a model file; needs no network.

    Raises UserError if it is not a complete model file of this task.
    """
    values, state = read_model_file(path, TASK)
    config = validate_section(path, ModelConfig, values.get("model"))
    validate_section(path, DataConfig, values.get("data"))
    if not isinstance(size := values.get("size"), int) or size < 1:
        raise UserError(f"{path}: its config lacks the size that the model was trained at")
    model = get_model(config.model_copy(update={"pretrained": False}))
    return fill_weights(path, model, state), size
