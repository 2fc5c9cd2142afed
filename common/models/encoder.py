"""The ResNet that a U-Net reads a picture with: torchvision's, with its weights or those of a file."""

from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.error import URLError

from torch import nn

from common.models.weights import read_weights_file
from common.runtime.errors import UserError

if TYPE_CHECKING:
    from torchvision.models import ResNet


def get_resnet(name: str, pretrained: bool | Path) -> "ResNet":
    """A torchvision ResNet. Raises UserError if its weights cannot be read."""
    from torchvision.models import get_model  # takes as long to import as torch, which other networks do without

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
    state = read_weights_file(str(path), "model.pretrained", enum, words=())
    own = {key: value for key, value in state.items() if not key.startswith("fc.")}
    for key, value in model.state_dict().items():
        needed = not key.startswith("fc.") and not key.endswith("num_batches_tracked")
        if needed and (key not in own or own[key].shape != value.shape):
            raise UserError(
                f"model.pretrained = {path}: not a {name} in torchvision's layout (conv1.weight ... layer4); "
                f"{key} is missing or of another size"
            )
    model.load_state_dict(own, strict=False)
