"""Measuring: work in a process of its own, its time and its memory; the speed of the machine; tables."""

import logging
import multiprocessing
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from common.runtime import precision
from common.runtime.out_of_memory import is_out_of_memory

Result = TypeVar("Result")
Work = Callable[[], Any]
Row = Sequence[str | float | None]  # of a table; None: did not fit into memory

DTYPES = {"fp32": torch.float32, **precision.DTYPES}
CURRENT_WORK: list[Work] = []  # in a worker's process: the one function that it runs


class Worker:
    """work = make(*arguments, device) in a new process, which shares no memory, cache or allocator with others.

    limit: GB of memory that it may take, on Linux. If it runs out of memory or its process dies, `fits` becomes False,
    and every result from then on is None.
    """

    def __init__(
        self, make: Callable[..., Work], *arguments: Any, device: torch.device, limit: float | None = None
    ) -> None:
        self.pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        self.device, self.fits = device, True
        self.ask(start_work, make, arguments, device, limit)

    def ask(self, function: Callable[..., Result], *arguments: Any) -> Result | None:
        """function(*arguments), called in the process; None if it did not fit."""
        if not self.fits:
            return None
        try:
            self.fits, answer = self.pool.submit(attempt, function, arguments).result()
        except BrokenProcessPool:
            self.fits, answer = False, None
        return answer

    def seconds(self) -> float | None:
        """Seconds that one call of work() takes, until the device has finished it."""
        return self.ask(time_work, self.device)

    def answer(self) -> Any:
        """What work() returns."""
        return self.ask(do_work)

    def peak(self, device: torch.device | None = None) -> float | None:
        """The most memory in use so far, in GB: on the GPU, or of the whole process if the device is the CPU.

        device: if not the worker's own.
        """
        return self.ask(peak_memory, device or self.device)

    def close(self) -> None:
        self.pool.shutdown()


def attempt(function: Callable[..., Result], arguments: Sequence[Any]) -> tuple[bool, Result | None]:
    """(True, the function's result), or (False, None) if memory ran out."""
    try:
        return True, function(*arguments)
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error) or "could not create a primitive" in str(error):  # oneDNN may mean the same
            return False, None
        raise


def start_work(make: Callable[..., Work], arguments: Sequence[Any], device: torch.device, limit: float | None) -> None:
    """Makes the function that this process runs from now on. limit: see `Worker`."""
    silence_warnings()
    if limit is not None and sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (int(limit * 1e9),) * 2)
    CURRENT_WORK[:] = [make(*arguments, device)]


def do_work() -> Any:
    return CURRENT_WORK[0]()


def time_work(device: torch.device) -> float:
    return seconds(do_work, device)


def seconds(work: Work, device: torch.device) -> float:
    """Seconds that one call of work() takes, until the device has finished it."""
    synchronize(device)
    start = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - start


def synchronize(device: torch.device) -> None:
    """Waits until a GPU has finished its work; a CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_memory(device: torch.device) -> float:
    """The most memory that this process has used so far, in GB: on the GPU, or on the machine (Linux) for a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    status = Path("/proc/self/status").read_text()  # getrusage would include the parent process's peak
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e9


def free_memory() -> float:
    """GB of memory that are free on this machine (Linux)."""
    return int(Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0]) * 1024 / 1e9


def side_by_side(workers: Sequence[Worker], rounds: int) -> list[float]:
    """Median seconds of each worker. They take turns, so a slowdown of the machine affects all of them.

    The first call of each is not counted. All of them must fit into memory.
    """
    for worker in workers:
        worker.seconds()
    times = [[worker.seconds() for worker in workers] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def flops(work: Work) -> int:
    """Floating-point operations of work(): those of its convolutions and matrix products, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def peak_rate(device: torch.device, precision: str) -> float:
    """Operations a second that this machine reaches at best: in a large matrix product, or in a 3 x 3 convolution."""
    dtype = DTYPES[precision]
    size = 8192 if device.type == "cuda" else 2048
    a = torch.randn(size, size, device=device, dtype=dtype)
    conv = nn.Conv2d(256, 256, kernel_size=3, padding=1, device=device, dtype=dtype).requires_grad_(False)
    image = torch.randn(8, 256, 64, 64, device=device, dtype=dtype)
    conv, image = conv.to(memory_format=torch.channels_last), image.to(memory_format=torch.channels_last)
    rates: list[float] = []
    for work in (lambda: a @ a, lambda: conv(image)):
        work()
        rates.append(flops(work) / min(seconds(work, device) for _ in range(10)))
    return max(rates)


def silence_warnings() -> None:
    """Hides warnings of deprecated library code and of random VGG16 weights, which are as fast as trained ones."""
    warnings.simplefilter("ignore")
    os.environ["PYTHONWARNINGS"] = "ignore"  # in new processes too, from their first import
    logging.getLogger("common.models.vgg16").setLevel(logging.ERROR)


def describe_machine(device: torch.device) -> str:
    """One line about the device, the machine and the versions that are measured."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        bf16 = "with" if torch.cpu._is_avx512_bf16_supported() else "without"
        name = f"{torch.get_num_threads()} threads on a CPU {bf16} AVX-512 BF16"
    return f"{name}, {os.cpu_count()} cores, torch {torch.__version__}, Python {platform.python_version()}"


def print_table(header: Sequence[str], rows: Iterable[Row]) -> None:
    """Prints a Markdown table, each row when it is there, with numbers as `format_number` writes them."""
    for row in chain([header, ["---"] * len(header)], rows):
        print("|", " | ".join(cell if isinstance(cell, str) else format_number(cell) for cell in row), "|", flush=True)
    print()


def format_number(number: float | None) -> str:
    """Three significant digits, or a whole number from 100 up; None is 'does not fit'."""
    if number is None:
        return "does not fit"
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
