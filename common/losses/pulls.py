"""How hard each term of a loss pulls at the picture: its gradient decides, not its value."""

from typing import TypeVar

import torch
from torch import Tensor

from common.losses.loss import PerceptualLoss

Name = TypeVar("Name")


def measure_pulls(loss: PerceptualLoss, pred: Tensor, *targets: Tensor) -> dict[str, float]:
    """{term: root mean square of its gradient in the prediction x how many numbers that has}; L1 of weight 1 has 1.

    Of the terms that count by now. pred: (N, 3, H, W) in [0, 1]; targets: what the loss is called with besides.
    """
    # In half precision small gradients would become 0.
    with torch.enable_grad(), torch.autocast(pred.device.type, enabled=False):
        pred = pred.detach().as_subclass(Tensor).float().requires_grad_()
        terms = loss.compute_terms(pred, *targets)
        pulls = {name: pull_of(term.mean(), pred) for name, term in terms.items()}
    return dict(zip(pulls, torch.stack(list(pulls.values())).tolist(), strict=True))  # one wait for the device


def pull_of(value: Tensor, pred: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(value, pred, retain_graph=True)
    return gradient.square().mean().sqrt() * gradient.numel()


def shares(pulls: dict[Name, float]) -> dict[Name, float]:
    """What part of the sum each has."""
    total = sum(pulls.values())
    return {name: value / total for name, value in pulls.items()}
