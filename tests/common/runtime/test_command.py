import logging
import os
import signal

import pytest

from common.runtime import command, processes
from common.runtime.errors import TrainingStopped, UserError, WriteError
from common.runtime.files import atomic_write, os_error_reason, remove_temporary_files
from common.runtime.interrupt import StopRequest
from tests.commands import posix_only


def ended(main, monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["program", *words])
    with pytest.raises(SystemExit) as end:
        command.run_command(main)
    return end.value.code


def test_what_should_not_happen_gives_one_line_and_keeps_the_traceback_in_the_log(tmp_path, monkeypatch, capsys):
    def main():
        raise ZeroDivisionError("in the\nmiddle")

    assert ended(main, monkeypatch) == 1
    assert capsys.readouterr().err == (
        "error: this should not happen: ZeroDivisionError: in the middle\n       Run it again with --debug to see it.\n"
    )
    handler = logging.FileHandler(tmp_path / "log.txt")
    handler.name = command.RUN_LOG
    logging.getLogger().addHandler(handler)
    try:
        assert ended(main, monkeypatch) == 1
        assert f"The traceback is in {tmp_path / 'log.txt'}" in capsys.readouterr().err
        assert "Traceback" in (tmp_path / "log.txt").read_text()
    finally:
        logging.getLogger().removeHandler(handler)
    monkeypatch.setattr("sys.argv", ["program", "--debug"])
    with pytest.raises(ZeroDivisionError):
        command.run_command(main)


def test_messages_stay_as_they_were_given():
    for error in (UserError("text"), WriteError("text"), TrainingStopped("text", 130)):
        error.args = ("Exception occured in `Callback`: text",)  # as fastai does
        assert str(error) == "text"


def test_a_disk_that_refuses_is_named_whatever_library_says_it(tmp_path):
    assert os_error_reason(OSError(28, "anything")) == "No space left on device"
    assert os_error_reason(RuntimeError("Error while serializing: I/O error: quota (os error 122)")) == os.strerror(122)
    wrapped = RuntimeError("unexpected pos")
    wrapped.__context__ = OSError(28, "anything")
    assert os_error_reason(wrapped) == "No space left on device"
    assert "is the disk full?" in os_error_reason(
        RuntimeError("[enforce fail at inline_container.cc:671] . unexpected pos")
    )
    assert os_error_reason(RuntimeError("a bug")) is None
    missing = tmp_path / "missing" / "a.txt"
    refused = pytest.raises(WriteError, match=r"a.txt: cannot be written \(No such file or directory\)")
    with refused, atomic_write(missing) as temporary:
        temporary.write_text("x")


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    for name in (".123.resume.pt", ".lock", ".hidden", "123.pt"):
        (tmp_path / name).write_text("x")
    remove_temporary_files(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", ".lock", "123.pt"]


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


def test_alone_a_process_is_the_main_one_and_adds_up_nothing():
    assert processes.count() == 1
    assert processes.is_main()
    assert processes.run_on_main(lambda: 7) == 7
    assert processes.all_reduce_sum([1.0, 2.0]) == [1.0, 2.0]
