"""Colours after those of another photo, whatever is where: its palette, as a model with `color_classes` knows colours.

No training: how likely the model finds each colour is multiplied by how much more of it the other photo has than the
model found in this one (a shift of the prior; Saerens et al. 2002, 10.1162/089976602753284446).
"""

from functools import lru_cache
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from colorize.bins import Classes
from colorize.lab import get_ab
from common.photos.flat import open_photo_for_crops, shrunk_size
from common.photos.open import PhotoError
from common.photos.pixels import to_tensor
from common.runtime.errors import UserError

SIDE = 128  # pixels of the short side on which a palette is measured
GREY = 2.0  # a* and b*, on average: a photo with less has no colours to speak of
OWN = 0.3  # part of the model's own palette that is mixed in: a colour that the other photo lacks is not forbidden


def read_palette(path: str | Path, centres: Tensor) -> Tensor:
    """(Q,) parts that add up to 1: how much of each colour of `centres`, (Q, 2), a photo has.

    Raises UserError if it cannot be read, or is grey: all photos want it, so that it is no failure of one of them.
    """
    path = Path(path).expanduser()
    version = (path.stat().st_mtime_ns, path.stat().st_size) if path.exists() else None
    try:
        ab = read_colors(path, version)
    except PhotoError as error:
        raise UserError(f"--like {error}") from error
    if ab.norm(dim=1).mean() < GREY:
        raise UserError(f"--like {path}: grey, there are no colours to take")
    return Classes(centres.cpu(), torch.ones(len(centres))).parts(ab)


@lru_cache(maxsize=1)
def read_colors(path: Path, version: object) -> Tensor:
    """(1, 2, h, w): a* and b* of a photo, made small. version: another one for another file of that name."""
    photo = open_photo_for_crops(path, min_side=1, least_side=2 * SIDE)
    height, width = shrunk_size(photo.height, photo.width, SIDE)
    return get_ab(to_tensor(photo.resize((width, height), Image.Resampling.BOX)))


def toward(logits: Tensor, weights: Tensor, palette: Tensor) -> Tensor:
    """(N, Q, H, W) logits -> the same, moved so that the colours found in each picture are about those of a palette.

    weights: (Q,), by which a loss made colours likelier than they are, see `mean_color`.
    """
    found = (logits - weights.log()[:, None, None]).softmax(dim=1).mean(dim=(2, 3))
    wanted = (1 - OWN) * palette.to(found) + OWN * found
    return logits + (wanted / found.clamp_min(1e-8)).log()[..., None, None]
