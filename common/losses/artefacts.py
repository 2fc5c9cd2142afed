"""What a picture should not have, whatever its target."""

from kornia.losses import total_variation
from torch import Tensor


def tv_loss(pred: Tensor, target: Tensor) -> Tensor:
    """Anisotropic total variation of `pred`: the mean absolute step down plus the mean absolute step right."""
    return total_variation(pred, reduction="mean").mean()
