"""Half precision: its kinds, and which one a network is run in."""

from collections.abc import Callable

import torch

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
BITS = {"fp16": 11, "bf16": 8}  # of a value's mantissa


def choose(asked: str, device: torch.device, works_in_fp16: Callable[[], bool] = lambda: True) -> str:
    """'fp32', 'fp16' or 'bf16': what is asked for, or for 'auto' fp16 on CUDA if the network can, else fp32."""
    if asked != "auto":
        return asked
    return "fp16" if device.type == "cuda" and works_in_fp16() else "fp32"
