"""The style network: a photo in, the same photo in one style out."""

from pathlib import Path

import torch
from torch import Tensor, nn

from common.config.sections import LossConfig, ModelConfig
from common.models.model_file import fill_weights, read_model_file, validate_section, write_model_file
from common.models.unet import Unet
from styletransfer.config import Config, StyleConfig, StyleModelConfig
from styletransfer.johnson import TransformationNetwork

TASK_NAME = "styletransfer"
VGG_FROM_FILE = "file"  # what a model file says in place of the path of loss.vgg


class Stylizer(nn.Module):
    """(N, 3, H, W) in [0, 1] -> the same, in a style.

    residual: the network predicts what to add to the photo (as logits, so that no pixel leaves [0, 1]), and untrained
    the photo comes back within 0.01. Otherwise it paints anew, as the paper's does.
    """

    def __init__(self, network: nn.Module, residual: bool) -> None:
        super().__init__()
        self.network, self.residual = network, residual

    def forward(self, photo: Tensor) -> Tensor:
        return self.paint(photo.as_subclass(Tensor))

    def paint(self, photo: Tensor) -> Tensor:
        """The same, of a plain Tensor."""
        logits = self.network(photo)
        if self.residual:
            logits = torch.logit(photo, eps=0.01) + logits
        return logits.float().sigmoid()  # 8 bits are more than half precision has near 1


def get_model(config: StyleModelConfig) -> Stylizer:
    """A Stylizer as `config` describes it."""
    if config.johnson is not None:
        return Stylizer(TransformationNetwork(config.johnson.width), residual=False)
    unet = config.unet or ModelConfig()  # StyleModelConfig has one of the two
    network = Unet(unet.encoder, pretrained=unet.pretrained, norm=unet.norm, attention=unet.attention, blur=unet.blur)
    return Stylizer(network, residual=True)


def save_model(path: Path, model: nn.Module, config: Config) -> None:
    """Writes a model file: the weights, what rebuilds the model, and its loss. No path of this machine is in it."""
    loss = config.loss.model_dump(mode="json")
    if loss["vgg"] not in ("torchvision", "random"):
        loss["vgg"] = VGG_FROM_FILE
    values = {
        "model": config.model.model_dump(mode="json", exclude={"unet": {"pretrained"}}),
        "style": config.style.model_dump(mode="json", exclude={"image"}),
        "loss": loss,
    }
    write_model_file(path, model, TASK_NAME, values)


def load_model(path: Path) -> Stylizer:
    """The Stylizer of a model file, in eval mode on the CPU. Needs no network.

    Raises UserError if it is not a complete model file of this task.
    """
    values, state = read_model_file(path, TASK_NAME)
    config = validate_section(path, StyleModelConfig, values.get("model"))
    return fill_weights(path, get_model(config.without_pretrained()), state)


def read_loss_and_style(path: Path) -> tuple[LossConfig, StyleConfig]:
    """The loss and the style that a model file's model was trained with. Raises UserError as `load_model` does.

    The VGG16 is 'file' if it came from one, and the style has no image: no path is in a model file.
    """
    values, _ = read_model_file(path, TASK_NAME)
    loss = validate_section(path, LossConfig, values.get("loss"))
    return loss, validate_section(path, StyleConfig, values.get("style"))
