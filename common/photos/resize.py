"""Photos of another size."""

import numpy as np
from PIL import Image

from common.photos.pixels import peak_of


def resize(photo: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) uint8 or uint16 -> (*size, 3), by Pillow's Lanczos, whose support grows as it reduces.

    In gamma light, as the low side of training photos is made: in linear light, thin dark lines would fade.
    """
    height, width = size
    if photo.shape[:2] == size:
        return photo
    if photo.dtype == np.uint8:
        return np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.LANCZOS))
    result, peak = np.empty((height, width, 3), photo.dtype), peak_of(photo.dtype)
    for channel in range(3):
        plane = Image.fromarray(photo[..., channel].astype(np.float32))
        resized = np.asarray(plane.resize((width, height), Image.Resampling.LANCZOS))
        result[..., channel] = resized.round().clip(0, peak).astype(photo.dtype)
    return result
