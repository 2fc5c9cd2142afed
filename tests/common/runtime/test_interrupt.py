import signal

import pytest

from common.runtime.interrupt import StopRequest, delayed_interrupts
from tests.commands import posix_only


@posix_only
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_stops(number, monkeypatch):
    before = signal.signal(number, signal.default_int_handler)
    try:
        with StopRequest() as request:
            assert not request.asked
            signal.raise_signal(number)
            monkeypatch.setenv("WORLD_SIZE", "2")
            signal.raise_signal(number)  # at once: torchrun passes on what the terminal has already sent
            monkeypatch.delenv("WORLD_SIZE")
            assert request.asked
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(number)
        assert signal.getsignal(number) == signal.default_int_handler
    finally:
        signal.signal(number, before)


@posix_only
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_code_that_swallows_everything_cannot_swallow_a_delayed_signal(number):
    before = signal.signal(number, signal.default_int_handler)
    done = []
    try:
        with pytest.raises(KeyboardInterrupt), delayed_interrupts():
            try:
                signal.raise_signal(number)
                done.append("the rest")
            except:  # noqa: E722 (as fastai has them)
                pass
        assert done == ["the rest"]
        assert signal.getsignal(number) == signal.default_int_handler
        with StopRequest() as request:
            with delayed_interrupts():
                signal.raise_signal(number)
                assert not request.asked
            assert request.asked
    finally:
        signal.signal(number, before)
