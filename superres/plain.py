"""The super-resolution network in terms that ONNX knows."""

from torch import Tensor, nn

from common.models.plain_unet import without_hooks
from superres.bicubic import BicubicEnlargement
from superres.model import SuperResolver


class PlainResolver(nn.Module):
    """A SuperResolver's network and numbers: (N, 3, H, W) in [0, 1] -> (N, 3, scale H, scale W) in [0, 1]."""

    def __init__(self, model: SuperResolver) -> None:
        super().__init__()
        self.unet, self.upsample, self.residual = without_hooks(model).unet, model.upsample, model.residual
        self.enlarge = BicubicEnlargement(model.scale) if model.scale > 1 else nn.Identity()

    def forward(self, low: Tensor) -> Tensor:
        if not self.residual:
            return self.unet(low).clamp(0, 1)
        enlarged = self.enlarge(low)
        return (enlarged + self.unet(low if self.upsample == "after" else enlarged)).clamp(0, 1)
