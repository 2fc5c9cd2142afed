"""A network that torch compiles in its first steps, and again for each size and mode that it meets."""

import traceback

import torch
from torch import nn

from common.runtime.errors import UserError


def compile_network(model: nn.Module, device: torch.device) -> None:
    """From now on `model(x)` runs compiled. Its weights, copies and files are as they would be without.

    Raises UserError if nothing can be compiled here.
    """
    try:
        torch.compile(lambda x: x + 1)(torch.zeros(1, device=device))
    except Exception as error:  # a missing compiler, Triton or Python headers: each has errors of its own
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(
            f"train.compile: nothing can be compiled here for {device.type} ({why}); leave it out"
        ) from error
    model.compile()


def compiled_code_advice(error: Exception) -> str | None:
    """What to do if `error` comes out of compiled code, which fails on operations that torch describes wrongly to its
    compiler (torch 2.14: the gradient of replicated borders); None for other errors.
    """
    if not any("_inductor" in frame.filename for frame in traceback.extract_tb(error.__traceback__)):
        return None
    return f"the compiled network failed ({type(error).__name__}: {str(error)[:80]} ...); add train.compile=false"
