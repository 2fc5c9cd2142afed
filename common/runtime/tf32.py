"""TF32: NVIDIA's GPUs round the operands of float32 convolutions to 11 bits, unless told otherwise.

A network can stand that. A variance computed as mean(x^2) - mean(x)^2, as in SSIM, cannot: the difference is smaller
than what the rounding leaves out.
"""

from torch import Tensor

ROUNDING = ("cuda",)  # types of devices


def without_tf32(image: Tensor) -> Tensor:
    """The image in float64, which is never rounded, where float32 would be; else as it is."""
    return image.double() if image.device.type in ROUNDING else image
