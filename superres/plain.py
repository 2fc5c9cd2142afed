"""The super-resolution network in terms that ONNX knows."""

import torch
from torch import Tensor, nn

from common.models.plain_unet import without_hooks
from superres.bicubic import BicubicEnlargement
from superres.model import SuperResolver


class PlainResolver(nn.Module):
    """A SuperResolver's network and numbers: (N, 3, H, W) in [0, 1] -> (N, 3, scale H, scale W) in [0, 1]."""

    def __init__(self, model: SuperResolver) -> None:
        super().__init__()
        self.unet = with_plain_convolutions(without_hooks(model).unet)
        self.upsample, self.residual = model.upsample, model.residual
        self.enlarge = BicubicEnlargement(model.scale) if model.scale > 1 else nn.Identity()

    def forward(self, low: Tensor) -> Tensor:
        if not self.residual:
            return self.unet(low).clamp(0, 1)
        enlarged = self.enlarge(low)
        return (enlarged + self.unet(low if self.upsample == "after" else enlarged)).clamp(0, 1)


@torch.no_grad()
def with_plain_convolutions(network: nn.Module) -> nn.Module:
    """Replaces each layer of SPAN's by the one convolution that it is in eval mode, in place; returns the network.

    Such a layer sets the weights of that convolution in each pass, and no export follows that.
    """
    layers = [
        (parent, name, child.eval_conv)
        for parent in network.modules()
        for name, child in parent.named_children()
        if hasattr(child, "eval_conv")
    ]
    if layers:
        network(torch.zeros(1, 3, 32, 32))  # sets them; not in inference mode, whose tensors no export takes
    for parent, name, convolution in layers:
        setattr(parent, name, convolution)
    return network
