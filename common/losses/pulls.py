"""How hard each term of a loss pulls at the picture: its gradient decides, not its value."""

from typing import TypeVar

import torch
from torch import Tensor

from common.losses.loss import PerceptualLoss

Name = TypeVar("Name")


def measure_pulls(loss: PerceptualLoss, pred: Tensor, *targets: Tensor) -> dict[str, float]:
    """{term: root mean square of its gradient in the prediction x how many numbers that has}; L1 of weight 1 has 1.

    In what the network put out before that became a picture, where a task's loss has terms of it. Of the terms that
    count by now. pred: (N, 3, H, W) in [0, 1]; targets: what the loss is called with besides.
    """
    # In half precision small gradients would become 0.
    with torch.enable_grad(), torch.autocast(pred.device.type, enabled=False):
        output = loss.output
        pred, leaf = loss.pulled(pred)
        terms = loss.compute_terms(pred, *targets)
        pulls = {name: pull_of(term.mean(), leaf) for name, term in terms.items()}
        loss.output = output
    return dict(zip(pulls, torch.stack(list(pulls.values())).tolist(), strict=True))  # one wait for the device


def pull_of(value: Tensor, leaf: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(value, leaf, retain_graph=True)
    return gradient.square().mean().sqrt() * gradient.numel()


def shares(pulls: dict[Name, float]) -> dict[Name, float]:
    """What part of the sum each has."""
    total = sum(pulls.values())
    return {name: value / total for name, value in pulls.items()}
