"""Any architecture's convolution before a pixel shuffle, kept even: see `common.models.even`."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.utils import parametrize

from common.models.even import even_bias, even_kernels


class Even(nn.Module):
    """A parametrisation, which folds away when the model is saved. make: `even_kernels` or `even_bias`."""

    def __init__(self, make: Callable[[Tensor, int], Tensor], n: int) -> None:
        super().__init__()
        self.make, self.n = make, n

    def forward(self, value: Tensor) -> Tensor:
        return self.make(value, self.n)

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def make_even(network: nn.Module) -> int:
    """Parametrises, in place, each convolution that a pixel shuffle follows; returns how many those are."""
    found: list[tuple[nn.Conv2d, int]] = []
    before: nn.Conv2d | None = None
    for layer in network.modules():
        if isinstance(layer, nn.PixelShuffle) and before is not None:
            n = layer.upscale_factor**2
            if before.out_channels % n == 0:
                found.append((before, n))
        if isinstance(layer, nn.Conv2d):
            before = layer
    for convolution, n in found:
        parametrize.register_parametrization(convolution, "weight", Even(even_kernels, n))
        if convolution.bias is not None:
            parametrize.register_parametrization(convolution, "bias", Even(even_bias, n))
    return len(found)
