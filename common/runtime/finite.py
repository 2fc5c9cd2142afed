"""What is not finite (NaN, infinity), and what follows: one rule for all of the program.

- A **loss** that is not finite ends the training (`TrainingDiverged`). In fp16 its gradient scaler expects a few, so
  there they count as gradients.
- A **gradient** that is not finite reaches no weight: the step is skipped, and counted in history.csv and on the page.
  More than MAX_SKIPPED in a row end the training.
- A **result** is checked before it becomes pixels, since NaN would become black ones. In half precision it is computed
  again in float32, with a line; if it is not finite then, that photo fails (`ResultNotFinite`).
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from common.runtime.errors import ResultNotFinite

MAX_SKIPPED = 20  # in a row; fp16's scaler, which halves its scale at each, has then come from 65536 to a sixteenth


def gradients_are_finite(parameters: Iterable[nn.Parameter]) -> bool:
    """Whether their norm is finite: not if one is NaN, infinite, or so large (1e19) that Adam's square of it would be.

    It waits for the device once.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    return not gradients or bool(torch.nn.utils.get_total_norm(gradients).isfinite())


def check_finite(output: Tensor) -> Tensor:
    """The output itself. Raises ResultNotFinite if a value of it is NaN or infinite."""
    if output.isfinite().all():
        return output
    raise ResultNotFinite(
        "the network gives values that are no numbers (NaN or infinite), in fp32 as well: its weights are broken, or "
        "too large for this photo; try another model, such as an earlier one of its training"
    )
