"""Whether a photo has colours already. A tint, as sepia has, is none: it follows from lightness."""

from typing import Any

import numpy as np
import torch
from kornia.color import rgb_to_lab
from PIL import Image

from common.photos.pixels import to_8_bits, to_tensor

SIDE = 64  # pixels of the copy that is looked at: noise averages out
DEGREE = 3  # of the curve by which a tint follows from lightness
COLORED = 3.5  # of a* and b*, root mean square around that curve; tints and scanners' noise stay below


def remark(model: Any, photo: np.ndarray, **options: Any) -> str | None:
    """What to know of a photo (H, W, 3) uint8 or uint16 that has colours; of a grey or tinted one None."""
    if colors_beyond_a_tint(photo) < COLORED:
        return None
    return "has colours already: they are left out, and the model's own put on"


def colors_beyond_a_tint(photo: np.ndarray) -> float:
    """How far a* and b* are from the curve over lightness that fits best, root mean square; 0 if grey."""
    small = Image.fromarray(to_8_bits(photo))
    small.thumbnail((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=None)
    lightness, a, b = rgb_to_lab(to_tensor(small))[0].flatten(1).double()
    powers = torch.stack([(lightness / 100) ** power for power in range(DEGREE + 1)], dim=1)
    ab = torch.stack([a, b], dim=1)
    curve = powers @ torch.linalg.lstsq(powers, ab, driver="gelsd").solution
    return (ab - curve).square().mean().sqrt().item()
