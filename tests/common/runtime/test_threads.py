"""Threads before and after the work: order kept, errors told, nothing left running."""

import threading

import pytest

from common.runtime.threads import ahead, behind


def test_items_come_in_order_and_are_taken_in_another_thread():
    threads = set()

    def numbers():
        for i in range(50):
            threads.add(threading.current_thread())
            yield i

    done = []
    with ahead(numbers()) as items, behind(done.append) as put:
        for item in items:
            put(item)
    assert done == list(range(50))
    assert threads.isdisjoint({threading.current_thread()})


def test_an_error_in_either_thread_is_raised_where_the_work_is():
    def fail(item):
        if item == 3:
            raise ValueError("three")

    def numbers():
        yield 1
        raise ValueError("two")

    with ahead(numbers()) as items:
        assert next(items) == 1
        with pytest.raises(ValueError, match="two"):
            next(items)
    with pytest.raises(ValueError, match="three"), behind(fail) as put:
        for i in range(10):
            put(i)


def test_leaving_early_ends_the_threads():
    before = threading.active_count()
    with ahead(iter(range(10**9))) as items, behind(lambda item: None) as put:
        put(next(items))
    assert threading.active_count() == before
