"""One training on several processes, as `accelerate launch` or torchrun start them: who is who, what they share.

Process 0 is the main one: it alone writes files and logs. `bs` of a config is the batch of all processes together,
so a run gives the same curves on one GPU as on eight.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from importlib.util import find_spec
from typing import Any, TypeVar

import torch
import torch.distributed
from torch import nn

from common.runtime.devices import best_device_name, get_device
from common.runtime.errors import UserError

Result = TypeVar("Result")
Item = TypeVar("Item")

TIMEOUT = timedelta(hours=2)  # the others wait while the main one measures a trained model
PATIENCE = timedelta(days=30)  # where each has its share of photos and videos, which may be very unlike


def count() -> int:
    """How many processes train together: torch's launcher says it."""
    return max(1, int(os.environ.get("WORLD_SIZE", "1")))


def rank() -> int:
    """This process's number, from 0."""
    return int(os.environ.get("RANK", "0"))


def is_main() -> bool:
    """Whether this process writes files and logs."""
    return rank() == 0


def usable_cores() -> int:
    """How many CPU cores this process has for itself: those it may run on, divided among its machine's processes."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def join(device_name: str, timeout: timedelta = TIMEOUT) -> torch.device:
    """Joins the processes, if there are several, and returns this one's device: each on a machine has a GPU of its own.

    timeout: after which a process that waits for the others gives up.

    Raises UserError if the device is not available, or accelerate is not installed.
    """
    if count() == 1:
        return get_device(device_name)
    if find_spec("accelerate") is None:
        raise UserError("several processes need the package accelerate: pip install accelerate")
    from accelerate import PartialState

    if device_name == "auto":
        device_name = best_device_name()
    kind = device_name.partition(":")[0]
    device = get_device(kind if kind in ("cpu", "mps") else f"{kind}:{os.environ.get('LOCAL_RANK', '0')}")
    PartialState(cpu=device.type == "cpu", timeout=timeout)
    joined = torch.distributed.get_world_size()
    if joined != count():
        raise UserError(f"WORLD_SIZE is {count()}, but {joined} processes joined; start all of them with torchrun")
    return device


def run_on_main(function: Callable[[], Result]) -> Result:
    """What function() returns in the main process, for all of them; an error of it ends them all."""
    if count() == 1:
        return function()
    result: Any = None
    error = None
    if is_main():
        try:
            result = function()
        except Exception as raised:  # the others wait below: they must be told before it continues
            error = raised
    message = [(result, error is None)]
    torch.distributed.broadcast_object_list(message, src=0)
    result, went_well = message[0]
    if error is not None:
        raise error
    if not went_well:
        raise SystemExit(2)  # the main process says why
    return result


sharing: ContextVar[bool] = ContextVar("sharing", default=False)


@contextmanager
def sharing_photos() -> Iterator[None]:
    """Within it, each of the processes takes its share of a list of photos. In a training the main one takes all."""
    token = sharing.set(count() > 1)
    try:
        yield
    finally:
        sharing.reset(token)


def my_share(items: Sequence[Item]) -> Sequence[Item]:
    """Those of this process, within `sharing_photos`; else all."""
    return items[rank() :: count()] if sharing.get() else items


def merge_shares(mine: Mapping[int, Item]) -> dict[int, Item]:
    """What each process has by the items' numbers -> in the main process that of all, in order; in others its own."""
    if not sharing.get():
        return dict(mine)
    gathered: list[Any] = [None] * count()
    torch.distributed.gather_object(mine, gathered if is_main() else None)
    parts = gathered if is_main() else [mine]
    return dict(sorted(((n, item) for part in parts for n, item in part.items()), key=lambda pair: pair[0]))


def all_reduce_sum(values: list[float]) -> list[float]:
    """The sum over all processes of each of a list of numbers. All of them must call it at the same place."""
    if count() == 1:
        return values
    device = "cpu" if torch.distributed.get_backend() == "gloo" else best_device_name()
    total = torch.tensor(values, dtype=torch.float64, device=device)
    torch.distributed.all_reduce(total)
    return total.tolist()


def unwrap_model(model: Any) -> nn.Module:
    """The model itself, also while it is wrapped for several processes."""
    return getattr(model, "module", model)
