"""The style network in terms that ONNX knows."""

from torch import Tensor, nn

from common.models.plain_unet import without_hooks
from styletransfer.model import Stylizer


class PlainStylizer(nn.Module):
    """A Stylizer's network and numbers: (N, 3, H, W) in [0, 1] -> the same, in its style."""

    def __init__(self, model: Stylizer) -> None:
        super().__init__()
        self.model = without_hooks(model)

    def forward(self, photo: Tensor) -> Tensor:
        return self.model.paint(photo)
