"""The photo's colours and brightness under the model's detail, for models that shift them."""

import numpy as np
from PIL import Image

from common.photos.pixels import peak_of

BLOCK = 16  # pixels of the photo: what is larger than this is the photo's


def with_colors_of(result: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """(H', W', 3), of any size, with the low frequencies of the photo (H, W, 3), both uint8 or uint16.

    Means over blocks of 16 x 16 pixels of the photo are made the photo's: the difference is added, smoothed.
    """
    height, width = (max(1, round(side / BLOCK)) for side in photo.shape[:2])
    kept, peak = np.empty_like(result), peak_of(result.dtype)
    for channel in range(3):
        ours, theirs = (
            np.asarray(plane(picture, channel).resize((width, height), Image.Resampling.BOX))
            for picture in (result, photo)
        )
        correction = Image.fromarray(theirs - ours).resize(result.shape[1::-1], Image.Resampling.BICUBIC)
        values = result[..., channel] + np.asarray(correction)
        kept[..., channel] = values.round().clip(0, peak).astype(result.dtype)
    return kept


def plane(picture: np.ndarray, channel: int) -> Image.Image:
    return Image.fromarray(picture[..., channel].astype(np.float32))
