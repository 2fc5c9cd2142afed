import os
import signal
import time

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


def child_in_a_terminal(work):
    """The number of a process that runs work() in a terminal of its own, and the end that closes it."""
    import pty

    number, terminal = pty.fork()
    if number == 0:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # who runs the tests may be under nohup
        try:
            work()
        finally:
            os._exit(0)
    return number, terminal


def print_until_asked(path):
    with StopRequest() as request:
        for _ in range(500):
            os.write(1, b"progress")  # fails once the terminal is closed
            if request.asked:
                signal.raise_signal(signal.SIGHUP)  # the shell's, after the system's
                os.write(1, b"progress")
                path.write_text("saved")
                return
            time.sleep(0.01)


@posix_only
def test_a_closed_terminal_is_asked_for_like_ctrl_c(tmp_path):
    number, terminal = child_in_a_terminal(lambda: print_until_asked(tmp_path / "end"))
    assert os.read(terminal, 8) == b"progress"
    os.close(terminal)
    assert os.waitpid(number, 0)[1] == 0
    assert (tmp_path / "end").read_text() == "saved"


@posix_only
def test_under_nohup_a_closed_terminal_stops_nothing():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopRequest() as request:
            signal.raise_signal(signal.SIGHUP)
            assert not request.asked
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
