"""Painting one photo by optimising its pixels, without a network (Gatys et al. 2015, arXiv 1508.06576)."""

import time
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from common.losses.loss import PerceptualLoss
from common.runtime.errors import TrainingDiverged

HISTORY_SIZE = 20  # past steps that L-BFGS remembers

Start = Literal["noise", "photo"]


class Progress(NamedTuple):
    iteration: int
    picture: Tensor  # (1, 3, H, W) in [0, 1]
    losses: list[float]  # at the start, after 1 iteration, after 2, ...
    seconds: float  # of all iterations so far


def optimize(
    photo: Tensor, loss: PerceptualLoss, iterations: Sequence[int], start: Start = "noise"
) -> Iterator[Progress]:
    """Paints a photo, and yields its progress at each of `iterations`, which ascend.

    photo: (1, 3, H, W) in [0, 1], on the device to run on. loss: with a style, on that device. start: 'noise', as in
    the papers, or 'photo'. L-BFGS with a strong Wolfe line search works on logits, so that pixels stay in [0, 1]. An
    iteration is a step: one forward and backward pass, sometimes two.
    Raises TrainingDiverged at a loss that is not finite.
    """
    first = torch.rand(photo.shape, generator=torch.Generator().manual_seed(0)).to(photo) if start == "noise" else photo
    logits = torch.logit(first, eps=0.01).contiguous().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [logits], history_size=HISTORY_SIZE, tolerance_grad=0, tolerance_change=0, line_search_fn="strong_wolfe"
    )
    (group,), state = optimizer.param_groups, optimizer.state[logits]
    losses: dict[int, float] = {}
    loss.remember(photo)

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(logits.sigmoid(), photo)
        value.backward()
        if not torch.isfinite(value):
            raise TrainingDiverged(f"the loss is {value.item()} in iteration {len(losses)}; lower loss.gram.weight")
        done = state.get("n_iter", 0)
        losses[done] = min(value.item(), losses.get(done, float("inf")))
        return value

    seconds = 0.0
    for iteration in iterations:
        began = time.perf_counter()
        group["max_iter"] = iteration - state.get("n_iter", 0)
        group["max_eval"] = 100 * iteration  # never what ends it
        optimizer.step(closure)  # pyright: ignore[reportArgumentType]  # torch's hint wants a float, its code a tensor
        picture = logits.detach().sigmoid()
        seconds += time.perf_counter() - began
        yield Progress(iteration, picture, list(losses.values()), seconds)
