"""True colours of a few places, which a person may know and a network cannot: as it is shown them in training.

Zhang et al. 2017 (arXiv 1705.02999).
"""

import random
from typing import Any

import torch
from fastai.torch_core import TensorBase
from fasttransform import ItemTransform
from torch import Tensor

from colorize.lab import get_ab
from colorize.network import HINT_SCALE
from common.photos.pixels import checksums
from common.runtime.seeds import derive_seed

NONE = 0.5  # part of the photos that come without
MOST = 30  # of a photo; one is as likely as 2 to 3, or as 10 to 30
SIDES = (1, 3, 5, 7)  # pixels of a square whose mean colour is told


class Hints(TensorBase):
    """(N, 3, H, W): a tensor that fastai's `show_batch` and `show_results` can show, as a title."""

    def show(self, ctx: Any = None, **_: Any) -> Any:
        if ctx is not None:
            ctx.set_title(f"{int(self.as_subclass(Tensor)[-1].sum())} px known", fontsize=8)
        return ctx


class AddHints(ItemTransform):
    """(grey, color) -> (grey, hints, color), as fastai's batch transform; hints as `Colorizer` takes them.

    Of held-out photos there are none. What is told follows from `position`, which is the seed and the epoch, and from
    the photo's pixels: not from its batch.
    """

    order = 92  # after what makes the colours
    split_idx = 0

    def __init__(self) -> None:
        super().__init__()
        self.position: tuple[int, int] = (0, 0)  # set by `common.batches.loader`

    def encodes(self, batch):  # noqa: ANN001, ANN201 (fasttransform dispatches on hints)
        grey, color = batch
        ab = get_ab(color.as_subclass(Tensor))
        numbers = checksums(color.as_subclass(Tensor))
        drawn = [draw(one, random.Random(derive_seed(*self.position, n))) for one, n in zip(ab, numbers, strict=True)]
        return grey, Hints(torch.stack(drawn)), color


class NoHints(ItemTransform):
    """(grey, color) -> (grey, none, color), of held-out photos."""

    order = 92
    split_idx = 1

    def encodes(self, batch):  # noqa: ANN001, ANN201 (as above)
        grey, color = batch
        return grey, Hints(torch.zeros_like(color.as_subclass(Tensor))), color


def draw(ab: Tensor, rng: random.Random) -> Tensor:
    """(2, H, W) true colours -> (3, H, W) hints of some of them."""
    n = 0 if rng.random() < NONE else int(MOST ** rng.random())
    height, width = ab.shape[-2:]
    return place(ab, [(rng.randrange(height), rng.randrange(width), rng.choice(SIDES)) for _ in range(n)])


def place(ab: Tensor, places: list[tuple[int, int, int]]) -> Tensor:
    """(2, H, W) true colours -> (3, H, W), told at (row, column, side of a square) alone, each square's mean."""
    hints = torch.zeros(3, *ab.shape[-2:], device=ab.device)
    for row, column, side in places:
        half = side // 2
        square = (slice(max(0, row - half), row + half + 1), slice(max(0, column - half), column + half + 1))
        hints[:2, *square] = ab[:, *square].mean(dim=(1, 2), keepdim=True) / HINT_SCALE
        hints[2, *square] = 1
    return hints
