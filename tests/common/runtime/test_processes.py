import os

import pytest
import torch

from common.runtime import processes


def test_alone_a_process_is_the_main_one_and_adds_up_nothing():
    assert processes.count() == 1
    assert processes.is_main()
    assert processes.run_on_main(lambda: 7) == 7
    assert processes.all_reduce_sum([1.0, 2.0]) == [1.0, 2.0]


def test_the_processes_of_a_machine_divide_its_cores(monkeypatch):
    alone = processes.usable_cores()
    assert alone == len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(alone))
    assert processes.usable_cores() == 1
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(2 * alone))
    assert processes.usable_cores() == 1


@pytest.mark.parametrize(
    ("asked", "own"),
    [("cuda", "cuda:1"), ("cuda:0", "cuda:1"), ("xpu", "xpu:1"), ("auto", "xpu:1"), ("cpu", "cpu"), ("mps", "mps")],
)
def test_each_process_of_a_machine_has_a_gpu_of_its_own(asked, own, monkeypatch):
    pytest.importorskip("accelerate")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(processes, "best_device_name", lambda: "xpu")
    monkeypatch.setattr(processes, "get_device", torch.device)
    monkeypatch.setattr("accelerate.PartialState", lambda **_: None)
    monkeypatch.setattr("torch.distributed.get_world_size", lambda: 2)
    assert processes.join(asked) == torch.device(own)
