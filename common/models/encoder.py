"""What a U-Net reads a picture with: a ResNet or a VGG16 of torchvision's, with its weights or those of a file."""

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.error import URLError

from torch import Tensor, nn

from common.models.weights import read_weights_file
from common.runtime.errors import UserError

if TYPE_CHECKING:
    from torchvision.models import ResNet

KEY = "model.pretrained"


class Encoder(NamedTuple):
    """What halves a picture five times."""

    layers: nn.Sequential
    """One after the other, by name."""

    skips: tuple[str, ...]
    """The last layers at 1/2, 1/4, 1/8 and 1/16 of the size, which the decoder sees."""

    channels: tuple[int, ...]
    """Of those, and of the result at 1/32."""

    normed: bool
    """Whether all of them are about as large, as batch norm makes them."""


def get_encoder(name: str, pretrained: bool | Path) -> Encoder:
    """A ResNet without its pooling and classifier, or the convolutions of a VGG16.

    name: of torchvision's model. pretrained: with its ImageNet weights, or those of a .pth or .safetensors file in its
    layout. Raises UserError if they cannot be read or downloaded.
    """
    if name.startswith("vgg16"):
        layers = get_vgg16(name, pretrained)
        skips = ("block2", "block3", "block4", "block5")
        widths = [
            [layer.out_channels for layer in layers.get_submodule(skip).modules() if isinstance(layer, nn.Conv2d)][-1]
            for skip in skips
        ]
        return Encoder(layers, skips, (*widths, widths[-1]), normed=name == "vgg16_bn")
    resnet = get_resnet(name, pretrained)
    layers = nn.Sequential(OrderedDict(list(resnet.named_children())[:-2]))
    n = resnet.fc.in_features
    channels = (resnet.conv1.out_channels, n // 8, n // 4, n // 2, n)
    return Encoder(layers, ("relu", "layer1", "layer2", "layer3"), channels, normed=True)


def get_vgg16(name: str, pretrained: bool | Path) -> nn.Sequential:
    """The convolutions of a VGG16: five blocks, of which all but the first begin with a pooling, and a last pooling."""
    from torchvision.models import (
        get_model_weights,
    )  # takes as long to import as torch, which other networks do without
    from torchvision.models.vgg import cfgs, make_layers

    layers = make_layers(cfgs["D"], batch_norm=name == "vgg16_bn")
    for layer in layers:
        if isinstance(layer, nn.Conv2d):  # as torchvision's
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(cast(Tensor, layer.bias))
    if pretrained:
        weights = "torchvision" if pretrained is True else str(pretrained)
        state = read_weights_file(weights, KEY, next(iter(get_model_weights(name))), words=("torchvision",))
        state = {key.removeprefix("features."): value for key, value in state.items() if key.startswith("features.")}
        try:
            layers.load_state_dict(state)
        except RuntimeError as error:
            raise UserError(
                f"{KEY} = {weights}: not a {name} in torchvision's layout (features.0.weight ...)"
            ) from error
    blocks = [nn.Sequential()]
    for layer in layers:
        if isinstance(layer, nn.MaxPool2d):
            blocks.append(nn.Sequential())
        blocks[-1].append(layer)
    names = [*(f"block{i}" for i in range(1, 6)), "pool5"]
    return nn.Sequential(OrderedDict(zip(names, blocks, strict=True)))


def get_resnet(name: str, pretrained: bool | Path) -> "ResNet":
    """A torchvision ResNet. Raises UserError if its weights cannot be read."""
    from torchvision.models import get_model

    weights = "DEFAULT" if pretrained is True else None
    # Without statistics to normalise by, residual branches must start at zero, or 16 blocks of them explode.
    options = {} if pretrained else {"zero_init_residual": True}
    try:
        model = cast("ResNet", get_model(name, weights=weights, **options))
    except URLError as error:
        raise UserError(
            f"the pretrained {name} could not be downloaded ({error.reason}). Offline, set "
            "pretrained=false in the model's section, or to a file of its weights."
        ) from error
    if isinstance(pretrained, Path):
        load_encoder(model, name, pretrained)
    return model


def load_encoder(model: nn.Module, name: str, path: Path) -> None:
    """Fills a torchvision ResNet in place from a file in its layout; the classifier may be missing, and is not used.

    Raises UserError if the file cannot be read, or is of another network.
    """
    from torchvision.models import get_model_weights

    enum = next(iter(get_model_weights(name)))
    state = read_weights_file(str(path), KEY, enum, words=())
    own = {key: value for key, value in state.items() if not key.startswith("fc.")}
    for key, value in model.state_dict().items():
        needed = not key.startswith("fc.") and not key.endswith("num_batches_tracked")
        if needed and (key not in own or own[key].shape != value.shape):
            raise UserError(
                f"{KEY} = {path}: not a {name} in torchvision's layout (conv1.weight ... layer4); "
                f"{key} is missing or of another size"
            )
    model.load_state_dict(own, strict=False)
