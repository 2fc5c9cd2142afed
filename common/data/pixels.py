"""Pixels in their three forms: tensors in [0, 1] for networks, uint8 arrays for files, PIL images for drawing."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

PEAK = 255.0


def to_tensor(pixels: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 -> (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / PEAK


def to_pixels(image: Tensor) -> np.ndarray:
    """(1, 3, H, W) -> (H, W, 3) uint8: clamped to [0, 1] and rounded."""
    pixels = (image[0].detach().as_subclass(Tensor).float().clamp(0, 1) * PEAK).round().byte()
    return np.ascontiguousarray(pixels.permute(1, 2, 0).cpu().numpy())


def to_image(image: Tensor) -> Image.Image:
    """(3, H, W) in [0, 1] -> PIL image, rounded."""
    return Image.fromarray(to_pixels(image[None]))


def round_to_8_bits(image: Tensor) -> Tensor:
    """Clamps to [0, 1] and rounds to multiples of 1/255, as saving and loading a picture does."""
    return (image.clamp(0, 1) * PEAK).round() / PEAK
