"""The last convolution before a pixel shuffle, kept from writing a lattice of dots: for any architecture."""

from torch import Tensor, nn
from torch.nn.utils import parametrize


class EvenKernels(nn.Module):
    """(out * n, in, 3, 3) -> the same, with one kernel sum for the n pixels that are shuffled from one place.

    As `common.models.unet.EvenConv`; a parametrisation, which folds away when the model is saved.
    """

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n

    def forward(self, weight: Tensor) -> Tensor:
        square = weight.unflatten(0, (-1, self.n))
        means = square.mean(dim=(-2, -1), keepdim=True)
        return (square - means + means.mean(dim=1, keepdim=True)).flatten(0, 1)

    def right_inverse(self, weight: Tensor) -> Tensor:
        return weight


class EvenBias(nn.Module):
    """(out * n,) -> the same, with one bias for the n pixels that are shuffled from one place."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n

    def forward(self, bias: Tensor) -> Tensor:
        square = bias.unflatten(0, (-1, self.n))
        return square.mean(dim=1, keepdim=True).expand_as(square).flatten()

    def right_inverse(self, bias: Tensor) -> Tensor:
        return bias


def make_even(network: nn.Module) -> int:
    """Parametrises, in place, each convolution that a pixel shuffle follows; returns how many those are."""
    layers, before = list(network.modules()), None
    found: list[tuple[nn.Conv2d, int]] = []
    for layer in layers:
        if isinstance(layer, nn.PixelShuffle) and before is not None:
            n = layer.upscale_factor**2
            if before.out_channels % n == 0:
                found.append((before, n))
        if isinstance(layer, nn.Conv2d):
            before = layer
    for convolution, n in found:
        parametrize.register_parametrization(convolution, "weight", EvenKernels(n))
        if convolution.bias is not None:
            parametrize.register_parametrization(convolution, "bias", EvenBias(n))
    return len(found)
