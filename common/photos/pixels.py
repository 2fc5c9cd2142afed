"""Pixels in three forms: tensors in [0, 1] for networks, uint8 or uint16 arrays for files, PIL images for drawing."""

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

PEAK = 255.0


def to_tensor(photo: np.ndarray | Image.Image) -> Tensor:
    """(H, W, 3) uint8 or uint16, or an RGB picture -> (1, 3, H, W) in [0, 1].

    It is channels-last, which convolutions are fastest in.
    """
    pixels = np.asarray(photo)
    # The batch's axis comes first: added last, its stride makes some of torch's layers return the other layout.
    return torch.from_numpy(pixels.astype(np.float32))[None].permute(0, 3, 1, 2) / peak_of(pixels.dtype)


def as_plain(image: Tensor) -> Tensor:
    """One of fastai's tensors as torch's. In an export it is that already, and no exporter follows the cast."""
    return image if torch.compiler.is_exporting() else image.as_subclass(Tensor)


def to_pixels(image: Tensor, dtype: npt.DTypeLike = np.uint8) -> np.ndarray:
    """(1, 3, H, W) -> (H, W, 3) uint8 or uint16: clamped to [0, 1] and rounded."""
    pixels = (image[0].detach().as_subclass(Tensor).float().clamp(0, 1) * peak_of(dtype)).round()
    return pixels.permute(1, 2, 0).cpu().numpy().astype(dtype, order="C")


def peak_of(dtype: npt.DTypeLike) -> float:
    """White: 255 of uint8, 65,535 of uint16."""
    return 65535.0 if np.dtype(dtype) == np.uint16 else PEAK


def to_8_bits(pixels: np.ndarray) -> np.ndarray:
    """uint8 or uint16 -> uint8."""
    return pixels if pixels.dtype == np.uint8 else (pixels / 257).round().astype(np.uint8)


def to_image(image: Tensor) -> Image.Image:
    """(3, H, W) in [0, 1] -> PIL image, rounded."""
    return Image.fromarray(to_pixels(image[None]))


def round_to_8_bits(image: Tensor) -> Tensor:
    """Clamps to [0, 1] and rounds to multiples of 1/255, as saving and loading a picture does."""
    return (image.clamp(0, 1) * PEAK).round() / PEAK


def checksums(images: Tensor) -> list[int]:
    """A number for each of (N, 3, H, W) that follows from its pixels and their places, the same on every device."""
    pixels = (images * 255).round().long().flatten(1)
    places = torch.arange(1, pixels.shape[1] + 1, device=images.device) % 65521
    return (pixels * places).sum(dim=1).tolist()
