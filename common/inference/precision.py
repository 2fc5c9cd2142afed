"""In which precision a model computes: half where that suffices, float32 where it does not."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from common.runtime.accelerator import without_tf32
from common.runtime.errors import ResultNotFinite
from common.runtime.finite import check_finite
from common.runtime.messages import warn_once
from common.runtime.precision import BITS, DTYPES

log = logging.getLogger(__name__)

UNDECIDED = "undecided"  # of a model: whether a CPU runs it in bf16, see `common.inference.trial`

Result = TypeVar("Result")

in_float32: ContextVar[bool] = ContextVar("in_float32", default=False)
bits_of_uint16: ContextVar[int] = ContextVar("bits_of_uint16", default=16)


class Half(NamedTuple):
    """The half precision that `ready` has given to a model."""

    name: str
    chosen: bool  # by the user, not by 'auto'
    device: str

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device, dtype=DTYPES[self.name])


def half_of(model: nn.Module) -> Half | None:
    return vars(model).get("half")


def forward_in_precision(model: nn.Module, forward: Callable[..., Any], *args: Any, **options: Any) -> Any:
    with precision_of(model):
        return forward(*args, **options)


def precision_of(model: nn.Module) -> AbstractContextManager[object]:
    """For layers of a model that are called one by one: the precision that `ready` has given to it as a whole."""
    half = half_of(model)
    return nullcontext() if half is None or in_float32.get() else half.autocast()


@contextmanager
def float32() -> Iterator[None]:
    """Within it, models made ready for half precision compute in float32; on CUDA in all of its bits, not in TF32."""
    token = in_float32.set(True)
    try:
        with without_tf32():
            yield
    finally:
        in_float32.reset(token)


@contextmanager
def with_bits(bits: int) -> Iterator[None]:
    """Within it, `precision_for` knows that uint16 pictures have no more than so many bits: those of a video."""
    token = bits_of_uint16.set(bits)
    try:
        yield
    finally:
        bits_of_uint16.reset(token)


def precision_for(model: nn.Module, dtype: npt.DTypeLike) -> AbstractContextManager[None]:
    """The precision for photos of uint8 or uint16: for 16 bits all of float32, unless the user chose another."""
    half, bits = half_of(model), bits_of_uint16.get()
    if np.dtype(dtype) == np.uint16 and UNDECIDED in vars(model):  # photos of 8 bits decide
        return float32()
    name = half.name if half else "fp32"
    if np.dtype(dtype) != np.uint16 or bits <= BITS[name]:
        return nullcontext()
    if half is None or not half.chosen:
        return float32()
    warn_once(f"--precision {name} computes with {BITS[name]} bits, and the input has {bits}; auto keeps all")
    return nullcontext()


def finite_result(model: nn.Module, compute: Callable[[], Result]) -> tuple[Result, bool]:
    """What compute() returns, and whether that is of a second time, in float32: after it raised ResultNotFinite.

    Raises ResultNotFinite if it does in float32.
    """
    try:
        return compute(), False
    except ResultNotFinite:
        if half_of(model) is None or in_float32.get():
            raise
    with float32():
        return compute(), True


def run_finite(model: nn.Module, batch: Tensor) -> tuple[Tensor, bool]:
    """`finite_result` of model(batch)."""
    return finite_result(model, lambda: check_finite(model(batch)))


def say_again(model: nn.Module, what: str) -> None:
    """One line about `what` was computed a second time."""
    if half := half_of(model):
        log.warning("%s: too large numbers for %s, so made again in fp32 (--precision fp32)", what, half.name)
