"""The style network: a photo in, the same photo in one style out."""

import torch
from torch import nn

from common.models.model_file import fill_weights, read_model_file, validate_section, write_model_file
from common.models.unet import Unet
from styletransfer.config import StyleModelConfig
from styletransfer.johnson import TransformationNetwork

TASK = "styletransfer"


class Stylizer(nn.Module):
    """(N, 3, H, W) in [0, 1] -> the same, in a style.

    residual: the network says what to add to the photo (as logits, so that no pixel leaves [0, 1]), and untrained the
    photo comes back within 0.01. Otherwise it paints anew, as the paper's does.
    """

    def __init__(self, network, residual):
        super().__init__()
        self.network, self.residual = network, residual

    def forward(self, photo):
        photo = photo.as_subclass(torch.Tensor)
        logits = self.network(photo)
        if self.residual:
            logits = torch.logit(photo, eps=0.01) + logits
        return logits.sigmoid()


def get_model(config: StyleModelConfig):
    """A Stylizer as `config` describes it."""
    if config.johnson is not None:
        return Stylizer(TransformationNetwork(config.johnson.width), residual=False)
    unet = config.unet
    network = Unet(unet.encoder, pretrained=unet.pretrained, norm=unet.norm, attention=unet.attention, blur=unet.blur)
    return Stylizer(network, residual=True)


def save(path, model, config):
    """Writes a model file with what rebuilds the model, and the loss it was trained on; no path of this machine."""
    loss = config.loss.model_dump(mode="json")
    if loss["vgg"] not in ("torchvision", "random"):
        loss["vgg"] = "file"
    values = {
        "model": config.model.model_dump(mode="json"),
        "style": config.style.model_dump(mode="json", exclude={"image"}),
        "loss": loss,
    }
    write_model_file(path, model, TASK, values)


def load_model(path):
    """(Stylizer in eval mode on the CPU, the model file's config as a dict); needs no network.

    Raises UserError if it is not a complete model file of this task.
    """
    values, state = read_model_file(path, TASK)
    config = validate_section(path, StyleModelConfig, values.get("model"))
    if config.unet is not None:
        config = config.model_copy(update={"unet": config.unet.model_copy(update={"pretrained": False})})
    return fill_weights(path, get_model(config), state), values
