"""Measuring: seconds side by side, memory in a process of its own, the machine's rate, tables."""

import logging
import multiprocessing
import os
import platform
import resource
import statistics
import time
import warnings
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


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


def side_by_side(works, rounds, device):
    """Median seconds of each function, in turn, so that a machine that slows down slows all of them.

    Each is called twice and timed the second time, when caches and freed memory are its own.
    """
    times = []
    for _ in range(rounds):
        for work in works:
            work()
            times.append(seconds(work, device))
    return [statistics.median(times[i :: len(works)]) for i in range(len(works))]


def in_a_process(function, *arguments, memory=None):
    """What function(*arguments) returns in a new process, and its peak memory in GB (a GPU's, if it used one). Linux.

    memory: GB that the process may take; (None, None) if that is too little.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(call, (function, arguments, memory))


def quiet():
    """Nothing of deprecated parts of libraries, and of random VGG16s, whose speed is that of trained ones."""
    warnings.simplefilter("ignore")
    os.environ["PYTHONWARNINGS"] = "ignore"  # in new processes too, from their first import
    logging.getLogger("common.features").setLevel(logging.ERROR)


def call(function, arguments, memory):
    quiet()
    if memory is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (int(memory * 1e9),) * 2)
    try:
        result = function(*arguments)
    except (MemoryError, RuntimeError) as error:
        if "memory" not in str(error) and not isinstance(error, MemoryError):
            raise
        return None, None
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return result, torch.cuda.max_memory_allocated() / 1e9
    status = Path("/proc/self/status").read_text()  # not getrusage's, which remembers the parent's
    return result, int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e9


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


def machine(device):
    """One line: what it is measured on."""
    name = (
        torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads of a CPU"
    )
    bf16 = " with AVX-512 BF16" if device.type == "cpu" and torch.cpu._is_avx512_bf16_supported() else ""
    return f"{name}{bf16} ({os.cpu_count()} cores), torch {torch.__version__}, Python {platform.python_version()}"


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
