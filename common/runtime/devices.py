"""Which device to compute on."""

import torch

from common.runtime.errors import UserError


def get_device(name: str = "auto") -> torch.device:
    """'auto' -> the accelerator if there is one, else the CPU; other names as torch knows them.

    Raises UserError if the device is not available.
    """
    if name == "auto":
        name = best_device_name()
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"device {name}: not available here ({str(error).splitlines()[0]}); use auto or cpu") from None


def best_device_name() -> str:
    """The accelerator that torch finds on this machine ('cuda', Apple's 'mps', Intel's 'xpu'), else 'cpu'."""
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return accelerator.type if accelerator is not None else "cpu"


def describe_device(device: torch.device) -> str:
    """What a person calls it: a GPU's name, or how many threads a CPU has."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device} ({torch.get_num_threads()} threads)"
