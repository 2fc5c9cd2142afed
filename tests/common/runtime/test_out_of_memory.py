import pytest
import torch

from common.runtime.out_of_memory import first_that_fits, is_out_of_memory, lost_worker_advice


@pytest.mark.parametrize(
    "said",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB",
        "std::bad_alloc",
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


def needing(memory, limit):
    def work():
        if memory > limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return memory

    return f"{memory} GB", work


def test_the_first_way_for_which_memory_suffices_is_taken_with_a_line_for_each_before_it(caplog):
    assert first_that_fits([needing(memory, limit=3) for memory in (8, 4, 2, 1)], hint=" (--tile)") == 2
    assert caplog.messages == [
        "not enough memory for 8 GB: continuing with 4 GB (--tile)",
        "not enough memory for 4 GB: continuing with 2 GB (--tile)",
    ]


def test_where_memory_suffices_for_no_way_the_last_one_is_named():
    with pytest.raises(MemoryError, match=r"^not enough memory for 4 GB$"):
        first_that_fits([needing(8, limit=3), needing(4, limit=3)])


def test_another_error_is_raised_at_once():
    with pytest.raises(RuntimeError, match="a bug"):
        first_that_fits([("all", bug), needing(1, limit=3)])


def bug():
    raise RuntimeError("a bug")
