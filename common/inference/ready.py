"""A trained model made ready to be run: on its device, in its precision, without what only training needs."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

from common.models.resnet import BasicBlock, Bottleneck
from common.runtime.errors import ResultNotFinite
from common.runtime.finite import check_finite
from common.runtime.precision import BITS, DTYPES, choose_precision

log = logging.getLogger(__name__)

Model = TypeVar("Model", bound=nn.Module)
Result = TypeVar("Result")

in_float32: ContextVar[bool] = ContextVar("in_float32", default=False)
bits_of_uint16: ContextVar[int] = ContextVar("bits_of_uint16", default=16)


def ready(model: Model, device: torch.device, precision: str = "auto") -> Model:
    """The model, changed in place: in eval mode, on the device, each BatchNorm fused into the convolution before it.

    precision: 'fp32', 'fp16' or 'bf16'; 'auto' is fp16 on CUDA and fp32 elsewhere. In half precision the network runs
    in autocast; what it is given and returns stays float32, and so do its weights. Raises UserError if it does not work
    in the precision.
    """
    model = relu_in_place(fuse_batch_norms(model.eval())).to(device).to(memory_format=torch.channels_last)
    chosen = precision != "auto"
    precision = choose_precision(precision, device, model, "--precision")
    if precision != "fp32":
        vars(model)["half"] = Half(precision, chosen, device.type)
        model.forward = partial(forward_in_precision, model, model.forward)
    return model


class Half(NamedTuple):
    """The half precision of a model made ready."""

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
    cudnn = torch.backends.cudnn
    token = in_float32.set(True)
    try:
        with cudnn.flags(cudnn.enabled, cudnn.benchmark, deterministic=cudnn.deterministic, allow_tf32=False):
            yield
    finally:
        in_float32.reset(token)


@contextmanager
def with_bits(bits: int) -> Iterator[None]:
    """Within it, `precision_for` knows that uint16 pictures have no more than so many bits: those of a film."""
    token = bits_of_uint16.set(bits)
    try:
        yield
    finally:
        bits_of_uint16.reset(token)


def precision_for(model: nn.Module, dtype: npt.DTypeLike) -> AbstractContextManager[None]:
    """The precision for photos of uint8 or uint16: float32 where 'auto' chose half precision, which has fewer bits."""
    half, bits = half_of(model), bits_of_uint16.get()
    if half is None or np.dtype(dtype) != np.uint16 or bits <= BITS[half.name]:
        return nullcontext()
    if not half.chosen:
        return float32()
    say_once(f"--precision {half.name} computes with {BITS[half.name]} bits, and the input has {bits}; auto keeps all")
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


@lru_cache(maxsize=100)
def say_once(message: str) -> None:
    log.warning("%s", message)


def fuse_batch_norms(model: Model) -> Model:
    """Fuses each BatchNorm, which in eval mode only scales and shifts, into the convolution before it, in place."""
    for module in list(model.modules()):
        if isinstance(module, nn.Sequential):
            pairs = list(pairwise(module._modules))
        elif isinstance(module, BasicBlock | Bottleneck):
            pairs = [(f"conv{i}", f"bn{i}") for i in (1, 2, 3) if hasattr(module, f"conv{i}")]
        else:
            continue
        for conv_name, norm_name in pairs:
            conv, norm = getattr(module, conv_name), getattr(module, norm_name)
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, conv_name, fuse_conv_bn_eval(conv, norm))
                setattr(module, norm_name, nn.Identity())
    return model


def relu_in_place(model: Model) -> Model:
    """Lets each ReLU of a sequence overwrite what the layer before it returns, which nothing else reads; in place."""
    for module in list(model.modules()):
        if isinstance(module, nn.Sequential):
            for layer in list(module)[1:]:
                if isinstance(layer, nn.ReLU):
                    layer.inplace = True
    return model
