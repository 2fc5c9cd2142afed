"""Half precision: which kinds there are, and which one a network and a device are used in."""

import time
from collections.abc import Callable, Collection
from functools import cache

import torch
from torch import nn

from common.runtime import processes
from common.runtime.errors import UserError

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
BITS = {"fp16": 11, "bf16": 8, "fp32": 11}  # of a value's mantissa; of fp32's in TF32, as CUDA takes it
HALVES = frozenset(DTYPES.values())
WORTH_IT = 1.2  # times as fast as fp32
TRIES = 10  # of each precision, of which the fastest counts: other work may slow some of them


def precisions_of(model: nn.Module) -> Collection[torch.dtype]:
    """The kinds of half precision that a network works in: all, unless it says which."""
    return getattr(model, "precisions", HALVES)


def choose_precision(asked: str, device: torch.device, model: nn.Module | None, key: str, trained: bool = False) -> str:
    """'fp32', 'fp16' or 'bf16': what is asked for; for 'auto' half on CUDA where the network works in it, else fp32.

    Half is fp16, which is nearer to fp32; to be `trained` bf16 where the GPU has it, in which no gradient overflows, or
    where the CPU is faster with it: then all processes must call this.
    model: None if only the device is known. key: the setting, for messages. Raises UserError if the network is not
    known to work in what is asked for.
    """
    allowed = HALVES if model is None else precisions_of(model)
    if asked == "auto":
        halves = {"cuda": ["fp16"]}.get(device.type, [])
        if trained and (cuda_has_bf16() if device.type == "cuda" else device.type == "cpu" and cpu_prefers_bf16()):
            halves = ["bf16", *halves]
        return next((half for half in halves if DTYPES[half] in allowed), "fp32")
    if asked in DTYPES and DTYPES[asked] not in allowed:
        raise UserError(f"{key} {asked}: this network is not known to work in it; auto chooses one that it works in")
    return asked


def cuda_has_bf16() -> bool:
    return torch.cuda.is_bf16_supported(including_emulation=False)


def cpu_prefers_bf16() -> bool:
    """Whether this CPU trains convolutions faster in bf16; the main process finds out for all."""
    return processes.run_on_main(time_training) >= WORTH_IT


@cache
def time_training() -> float:
    """How many times as fast in bf16 this CPU is with a convolution of 64 channels, forwards and backwards."""
    layer = nn.Conv2d(64, 64, 3, padding=1).to(memory_format=torch.channels_last)
    batch = torch.zeros(4, 64, 64, 64).to(memory_format=torch.channels_last).requires_grad_()
    return speed_in_bf16(lambda: layer(batch).sum().backward())


def speed_in_bf16(compute: Callable[[], object]) -> float:
    """How many times as fast in bf16 the CPU computes something. Turn and turn about, after a first time that warms."""

    def seconds() -> float:
        start = time.perf_counter()
        compute()
        return time.perf_counter() - start

    def seconds_in_bf16() -> float:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return seconds()

    times = [(seconds(), seconds_in_bf16()) for _ in range(1 + TRIES)][1:]
    fp32, bf16 = (min(of_one) for of_one in zip(*times, strict=True))
    return fp32 / bf16
