import os

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
