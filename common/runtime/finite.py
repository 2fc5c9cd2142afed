"""What is not finite (NaN, infinity), and what follows: one rule for all of the program.

- A **loss** that is not finite ends the training (`TrainingDiverged`). In fp16 its gradient scaler expects a few, so
  there they count as gradients.
- A **gradient** that is not finite reaches no weight: the step is skipped, and counted in history.csv and on the page.
  More than MAX_SKIPPED in a row end the training.
"""

from collections.abc import Iterable

import torch
from torch import nn

MAX_SKIPPED = 20  # in a row; fp16's scaler, which halves its scale at each, has then come from 65536 to a sixteenth


def gradients_are_finite(parameters: Iterable[nn.Parameter]) -> bool:
    """Whether their norm is finite: not if one is NaN, infinite, or so large (1e19) that Adam's square of it would be.

    It waits for the device once.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    return not gradients or bool(torch.nn.utils.get_total_norm(gradients).isfinite())
