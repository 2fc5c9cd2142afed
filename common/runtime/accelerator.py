"""The switches of accelerators.

TF32: NVIDIA's GPUs round the operands of float32 convolutions to 11 bits, unless told otherwise. A network can stand
that. A variance computed as mean(x^2) - mean(x)^2, as in SSIM, cannot: the difference is smaller than what the rounding
leaves out. Nor can what is computed in float32 for its bits.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

ROUNDING = ("cuda",)  # types of devices


def prepare_for_training() -> None:
    """For the whole process. Crops have one size, so cuDNN's fastest convolutions for it are worth finding."""
    torch.backends.cudnn.benchmark = True


def prepare_for_photos() -> None:
    """For the whole process. Photos have many sizes, and to look for the fastest convolutions takes longer."""
    torch.backends.cudnn.benchmark = False


@contextmanager
def without_tf32() -> Iterator[None]:
    """Within it, convolutions of float32 have all of its bits."""
    cudnn = torch.backends.cudnn
    with cudnn.flags(cudnn.enabled, cudnn.benchmark, deterministic=cudnn.deterministic, allow_tf32=False):
        yield


def never_rounded(image: Tensor) -> Tensor:
    """The image in float64, which is never rounded, where float32 would be; else as it is."""
    return image.double() if image.device.type in ROUNDING else image


def free_memory() -> None:
    """Gives back what torch keeps of an accelerator's memory for later, in pieces that may be too small for it."""
    if torch.accelerator.is_available():
        torch.get_device_module(torch.accelerator.current_accelerator()).empty_cache()
