"""A photo of any size painted: more or less, in the style's colours or its own.

Instance norm needs statistics of the whole picture, and a large photo is painted tile by tile. So a sample of it, small
squares from all over the photo at full size, goes through the network first; what instance norm sees there is kept for
all tiles. They fit together as those of any other network, without seams. A photo of one tile has its own statistics.
"""

from contextlib import contextmanager

import numpy as np
import torch
from PIL import Image

from common.inference import TILE, enhance, to_tensor
from styletransfer.johnson import InstanceNorm

SAMPLE = 128  # side of the squares, in pixels


def paint_photo(model, photo, strength=1.0, keep_colors=False, tile=TILE):
    """(H, W, 3) uint8 -> the same, painted by `model` (a Stylizer in eval mode, on the device to run on).

    strength: 0 the photo, 1 the painting, between them a mix of their pixels. keep_colors: only the lightness (Y of
    YCbCr) is the painting's (Gatys et al. 2016, arXiv 1606.05897). Memory is bounded by `tile`, in pixels a side.
    """
    with whole_photo_statistics(model, photo, tile):
        painted = Image.fromarray(enhance(model, photo, tile=tile))
    original = Image.fromarray(photo)
    if keep_colors:
        y = painted.convert("YCbCr").getchannel("Y")
        _, cb, cr = original.convert("YCbCr").split()
        painted = Image.merge("YCbCr", (y, cb, cr)).convert("RGB")
    return np.asarray(Image.blend(original, painted, strength))


@contextmanager
def whole_photo_statistics(model, photo, tile):
    """While it lasts, each instance norm of `model` has one mean and variance for a photo of several tiles."""
    norms = [module for module in model.modules() if isinstance(module, InstanceNorm)]
    if norms and max(photo.shape[:2]) > tile:
        device = next(model.parameters()).device
        for norm in norms:
            norm.keep_next = True
        with torch.inference_mode():
            model(sample_squares(photo, max(2, tile // SAMPLE)).to(device))
    try:
        yield
    finally:
        for norm in norms:
            norm.kept = None


def sample_squares(photo, count):
    """(count**2, 3, SAMPLE, SAMPLE) in [0, 1]: squares evenly spread over a (H, W, 3) uint8 photo, to its borders."""
    height, width = photo.shape[:2]
    tops, lefts = (np.linspace(0, max(0, side - SAMPLE), count).round().astype(int) for side in (height, width))
    return torch.cat([to_tensor(photo[top : top + SAMPLE, left : left + SAMPLE]) for top in tops for left in lefts])
