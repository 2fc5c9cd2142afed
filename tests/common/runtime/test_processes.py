from common.runtime import processes


def test_alone_a_process_is_the_main_one_and_adds_up_nothing():
    assert processes.count() == 1
    assert processes.is_main()
    assert processes.run_on_main(lambda: 7) == 7
    assert processes.all_reduce_sum([1.0, 2.0]) == [1.0, 2.0]
