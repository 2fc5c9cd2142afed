"""What keeps the convolution before a pixel shuffle from writing a lattice of dots.

Where features are constant, the pixels that are shuffled from one place come out equal, whatever the weights: for each
of them the kernel has the same sum, and the bias is one. Else a perceptual loss, to which dots look like texture, makes
the network write the same dots everywhere.
The condition is that of Sugawara et al. 2019, 'Checkerboard artifacts free convolutional neural networks'.
"""

from torch import Tensor


def even_kernels(weight: Tensor, n: int) -> Tensor:
    """(out * n, in, k, k) -> the same, with one kernel sum for the n pixels that are shuffled from one place."""
    square = weight.unflatten(0, (-1, n))  # out, pixel of the square, in, k, k
    means = square.mean(dim=(-2, -1), keepdim=True)
    return (square - means + means.mean(dim=1, keepdim=True)).flatten(0, 1)


def even_bias(bias: Tensor, n: int) -> Tensor:
    """(out * n,) -> the same, with one bias for the n pixels that are shuffled from one place."""
    square = bias.unflatten(0, (-1, n))
    return square.mean(dim=1, keepdim=True).expand_as(square).flatten()
