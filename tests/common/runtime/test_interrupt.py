import signal

import pytest

from common.runtime.interrupt import StopRequest
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
