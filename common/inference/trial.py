"""Whether a CPU runs a model faster in bf16, and as well: tried once, on the first photo."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from common.inference.precision import UNDECIDED, Half, forward_in_precision, in_float32
from common.photos.pixels import to_pixels
from common.runtime.precision import WORTH_IT, speed_in_bf16

log = logging.getLogger(__name__)

SIDE = 128  # pixels of the part of a photo that is tried; photos without room for it are left to fp32
TOLERATED = 1  # of 255
PLAIN = 0.03  # deviation of values below which nothing is to be seen: a sky, a black frame


def try_bf16(model: nn.Module) -> None:
    """Changes the model, on the CPU, in place: the first photo decides whether it computes in bf16 from then on."""
    vars(model)[UNDECIDED] = True
    model.forward = partial(forward_after_trial, model, model.forward)


def forward_after_trial(model: nn.Module, forward: Callable[..., Any], batch: Tensor, *args: Any) -> Any:
    """The result for `batch`, (N, 3, H, W), after the trial; in float32 if that is demanded or nothing can be tried.

    A model that is told to do less than it can is tried another time: what is off then says little.
    """
    if (
        getattr(model, "is_held_back", False)
        or in_float32.get()
        or min(batch.shape[-2:]) < SIDE
        or middle(batch).std() < PLAIN
    ):
        return forward(batch, *args)
    vars(model).pop(UNDECIDED)
    if is_good_in_bf16(forward, middle(batch), *args):
        vars(model)["half"] = Half("bf16", chosen=False, device="cpu")
        forward = partial(forward_in_precision, model, forward)
    model.forward = forward
    return forward(batch, *args)


def is_good_in_bf16(forward: Callable[..., Tensor], batch: Tensor, *args: Any) -> bool:
    """Whether bf16 is faster, and no pixel of the result is off by more than 1 of 255; with a line if it is."""
    speed = speed_in_bf16(lambda: forward(batch, *args))
    if speed < WORTH_IT:
        return False
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = forward(batch, *args)
    difference = abs(to_pixels(forward(batch, *args)).astype(int) - to_pixels(half)).max()
    if difference <= TOLERATED:
        log.info(
            "bf16 is %.1f times as fast here, and in a part of the photo off by %d of 255 at most: taken "
            "(--precision)", speed, difference,
        )  # fmt: skip
    return bool(difference <= TOLERATED)


def middle(batch: Tensor) -> Tensor:
    """(N, 3, H, W) -> (1, 3, SIDE, SIDE)."""
    top, left = ((side - SIDE) // 2 for side in batch.shape[-2:])
    return batch[:1, :, top : top + SIDE, left : left + SIDE]
