"""Colours that a place of a photo may have, as the network sees it: for a person to choose from."""

from typing import Any

import numpy as np
import torch

from colorize.hints import find
from colorize.lab import set_ab, to_grey
from colorize.network import Colorizer
from colorize.photo import shrink_to_grey
from common.inference.tiles import device_of
from common.photos.pixels import to_pixels, to_tensor

MOST = 5


@torch.inference_mode()
def suggest_colors(
    model: Colorizer,
    photo: np.ndarray,
    place: tuple[float, float],
    size: int | None = None,
    **others: Any,
) -> list[str]:
    """The likeliest of the colours that `model` chooses among, #rrggbb, the likeliest first, on the lightness there.

    photo: (H, W, 3) uint8 or uint16; place: (x, y) in its pixels; size: of `color_photo`. MOST of them; fewer
    where sRGB has fewer, none of a model that gives each pixel one colour. Raises UserError if a place is not in the
    photo.
    """
    if model.centres is None:
        return []
    grey = shrink_to_grey(photo, size or model.size)
    row, column = find(place, photo.shape[:2], grey.shape[:2])
    device = device_of(model)
    # As the loss has them: it makes rare colours likelier, and nobody has to be told of grey and brown.
    logits = model.unet(to_grey(to_tensor(grey).to(device)))
    pixels = 1 if logits.shape[-2:] == grey.shape[:2] else 2  # a side, for each logit
    here = logits[0, :, row // pixels, column // pixels]
    ab = model.centres[here.topk(min(MOST, len(here))).indices].float().cpu()
    lightness = to_tensor(grey[row : row + 1, column : column + 1]).expand(len(ab), -1, -1, -1)
    colors = [to_pixels(color[None])[0, 0] for color in set_ab(lightness, ab[:, :, None, None])]
    return list(dict.fromkeys("#{:02x}{:02x}{:02x}".format(*color) for color in colors))
