"""Measuring: work in a process of its own, its seconds and its memory; the machine's rate; tables."""

import logging
import multiprocessing
import os
import platform
import statistics
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from common.runtime.devices import is_out_of_memory

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
AT_WORK = []  # in a worker's process: what it does


class Worker:
    """work = make(*arguments, device) in a new process, which shares no memory, cache or allocator with others.

    limit: GB of memory that it may take, on Linux. What does not fit, or kills its process, counts as None.
    """

    def __init__(self, make, *arguments, device, limit=None):
        self.pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        self.device, self.fits = device, True
        self.ask(start, make, arguments, device, limit)

    def ask(self, function, *arguments):
        try:
            self.fits, answer = self.pool.submit(attempt, function, arguments).result() if self.fits else (False, None)
        except BrokenProcessPool:
            self.fits, answer = False, None
        return answer

    def seconds(self):
        """Of one call of work(), until the device is done with it."""
        return self.ask(time_work, self.device)

    def answer(self):
        """What work() returns."""
        return self.ask(do_work)

    def peak(self, device=None):
        """The most memory in GB that it had so far: of the device, which is the machine itself without a GPU."""
        return self.ask(peak_memory, device or self.device)

    def close(self):
        self.pool.shutdown()


def attempt(function, arguments):
    """(True, the function's result), or (False, None) if memory ran out."""
    try:
        return True, function(*arguments)
    except (MemoryError, RuntimeError) as error:
        words = ("bad_alloc", "could not create a primitive")  # of C++, and of oneDNN
        if is_out_of_memory(error) or any(word in str(error) for word in words):
            return False, None
        raise


def start(make, arguments, device, limit):
    quiet()
    if limit is not None and sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (int(limit * 1e9),) * 2)
    AT_WORK[:] = [make(*arguments, device)]


def do_work():
    return AT_WORK[0]()


def time_work(device):
    return seconds(do_work, device)


def seconds(work, device):
    """Of one call, until the device is done with it."""
    wait(device)
    began = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - began


def wait(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_memory(device):
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    status = Path("/proc/self/status").read_text()  # Linux; getrusage's figure would remember the parent's
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e9


def free_memory():
    """GB that are free on this machine (Linux)."""
    return int(Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0]) * 1024 / 1e9


def side_by_side(workers, rounds):
    """Median seconds of each worker, in turn, so that a machine that slows down slows all. First calls do not count."""
    for worker in workers:
        worker.seconds()
    times = [[worker.seconds() for worker in workers] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def flops(work):
    """Floating-point operations of work(): of its convolutions and matrix products, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def peak_rate(device, precision):
    """Operations a second that this machine reaches at best: in a large matrix product, or in a 3 x 3 convolution."""
    dtype = DTYPES[precision]
    size = 8192 if device.type == "cuda" else 2048
    a = torch.randn(size, size, device=device, dtype=dtype)
    conv = nn.Conv2d(256, 256, kernel_size=3, padding=1, device=device, dtype=dtype).requires_grad_(False)
    image = torch.randn(8, 256, 64, 64, device=device, dtype=dtype)
    conv, image = (x.to(memory_format=torch.channels_last) for x in (conv, image))
    rates = []
    for work in (lambda: a @ a, lambda: conv(image)):
        work()
        rates.append(flops(work) / min(seconds(work, device) for _ in range(10)))
    return max(rates)


def quiet():
    """Nothing of deprecated parts of libraries, and of random VGG16s, whose speed is that of trained ones."""
    warnings.simplefilter("ignore")
    os.environ["PYTHONWARNINGS"] = "ignore"  # in new processes too, from their first import
    logging.getLogger("common.models.vgg16").setLevel(logging.ERROR)


def machine(device):
    """One line: what it is measured on."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        bf16 = "with" if torch.cpu._is_avx512_bf16_supported() else "without"
        name = f"{torch.get_num_threads()} threads on a CPU {bf16} AVX-512 BF16"
    return f"{name}, {os.cpu_count()} cores, torch {torch.__version__}, Python {platform.python_version()}"


def show(header, rows):
    """Prints a Markdown table; numbers with three significant digits."""
    table = [header, ["---"] * len(header), *rows]
    for row in table:
        print("|", " | ".join(cell if isinstance(cell, str) else figure(cell) for cell in row), "|", flush=True)
    print()


def figure(number):
    if number is None:
        return "does not fit"
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
