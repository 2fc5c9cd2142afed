"""Random numbers that follow from where one is, not from what was drawn before."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derive_seed(*key: object) -> int:
    """64 bits that follow from `key`, numbers or texts, and look unrelated for different keys."""
    return random.Random(repr(key)).getrandbits(64)


def seed_everything(*key: object) -> None:
    """Seeds Python, NumPy and torch, on all devices, with what follows from `key`."""
    seed_cpu(derive_seed(*key))
    if torch.accelerator.is_available():  # without one it would note down, each time, who called it: 3 ms a step
        torch.manual_seed(torch.initial_seed())


def seed_cpu(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.default_generator.manual_seed(seed)


@contextmanager
def temporary_seed(*key: object) -> Iterator[None]:
    """Inside, the random numbers of Python, NumPy and torch on the CPU follow from `key`; then they continue as before.

    (fastai's `no_random` asks the GPU too, which a loading process must not.)
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    seed_cpu(derive_seed(*key))
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
