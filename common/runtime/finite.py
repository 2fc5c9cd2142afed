"""What is not finite (NaN, infinity), and what follows: one rule for all of the program.

- A **result** is checked before it becomes pixels: NaN would become black ones. In half precision it is computed again
  in float32, with a line; if it is not finite then, that photo fails (`ResultNotFinite`).
"""

from torch import Tensor

from common.runtime.errors import ResultNotFinite


def check_finite(output: Tensor) -> Tensor:
    """The output itself. Raises ResultNotFinite if a value of it is NaN or infinite."""
    if output.isfinite().all():
        return output
    raise ResultNotFinite(
        "the network gives values that are no numbers (NaN or infinite), in fp32 as well: its weights are broken, or "
        "too large for this photo; try another model, such as an earlier one of its training"
    )
