"""Half precision: which kinds there are, and which one a network and a device are used in."""

from collections.abc import Collection

import torch
from torch import nn

from common.runtime.errors import UserError

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
BITS = {"fp16": 11, "bf16": 8, "fp32": 11}  # of a value's mantissa; of fp32's in TF32, as CUDA takes it
HALVES = frozenset(DTYPES.values())


def precisions_of(model: nn.Module) -> Collection[torch.dtype]:
    """The kinds of half precision that a network works in: all, unless it says which."""
    return getattr(model, "precisions", HALVES)


def choose_precision(asked: str, device: torch.device, model: nn.Module | None, key: str, trained: bool = False) -> str:
    """'fp32', 'fp16' or 'bf16': what is asked for; for 'auto' half on CUDA where the network works in it, else fp32.

    Half is fp16, which is nearer to fp32; to be `trained` bf16 where the GPU has it, in which no gradient overflows.
    model: None if only the device is known. key: the setting, for messages. Raises UserError if the network is not
    known to work in what is asked for.
    """
    allowed = HALVES if model is None else precisions_of(model)
    if asked == "auto":
        has_bf16 = trained and device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        halves = ("bf16", "fp16") if has_bf16 else ("fp16",)
        return next((half for half in halves if device.type == "cuda" and DTYPES[half] in allowed), "fp32")
    if asked in DTYPES and DTYPES[asked] not in allowed:
        raise UserError(f"{key} {asked}: this network is not known to work in it; auto chooses one that it works in")
    return asked
