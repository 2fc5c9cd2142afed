import subprocess
import sys

import pytest
import torch

from common.runtime.devices import best_device_name, get_device, is_out_of_memory, lost_worker_advice
from common.runtime.errors import UserError


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(UserError, match="device nonsense: not available here"):
        get_device("nonsense")
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="device cuda: not available here"):
            get_device("cuda")


@pytest.mark.parametrize("found", ["cuda", "mps", "xpu", None])
def test_auto_is_the_accelerator_if_there_is_one(monkeypatch, found):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: found is not None)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device(found) if found else None)
    assert best_device_name() == (found or "cpu")


def test_operations_that_apples_gpu_lacks_run_on_the_cpu():
    code = "import os, superres; print(os.environ['PYTORCH_ENABLE_MPS_FALLBACK'])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "1"


@pytest.mark.parametrize(
    "said",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "[enforce fail at alloc_cpu.cpp:125] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 9",
        "Unable to find a valid cuDNN algorithm to run convolution",
        "GET was unable to find an engine to execute this computation",
        "FIND was unable to find an engine to execute this computation",
        "No valid engine configs for ConvFwd_",
        "no valid convolution algorithms available in CuDNN",
    ],
)
def test_each_way_in_which_torch_says_that_memory_ran_out_is_known(said):
    assert is_out_of_memory(RuntimeError(said))
    assert lost_worker_advice(RuntimeError(said)) is None


@pytest.mark.parametrize(
    "said",
    [
        "DataLoader worker (pid 46794) is killed by signal: Bus error. It is possible that dataloader's workers are "
        "out of shared memory. Please try to raise your shared memory limit.",
        "DataLoader worker (pid 7) is killed by signal: Killed. ",
        "DataLoader worker (pid(s) 3002, 3003) exited unexpectedly",
        "unable to write to file </torch_739_144252761_4>: No space left on device (28)",
        "unable to allocate shared memory(shm) for file </torch_123_4>: No space left on device (28)",
    ],
)
def test_a_lost_loading_process_is_told_from_a_full_gpu(said):
    assert not is_out_of_memory(RuntimeError(said))
    advice = lost_worker_advice(RuntimeError(said))
    assert "--shm-size=8g or --ipc=host" in advice and "train.workers=2, or 0" in advice


def test_other_errors_are_neither():
    error = RuntimeError("Expected 3 channels")
    assert not is_out_of_memory(error) and lost_worker_advice(error) is None
