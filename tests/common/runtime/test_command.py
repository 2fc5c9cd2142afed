import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.runtime import command
from common.runtime.errors import TrainingStopped, UserError, WriteError
from common.runtime.messages import RUN_LOG
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
    handler.name = RUN_LOG
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


SAYS = """
import logging, sys
from common.runtime.command import run_command
from common.runtime.errors import UserError
def main():
    logging.getLogger().warning("skipped %s", "写真.png")
    raise UserError("caf\\udce9.png: no such photo")
run_command(main)
"""


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_no_line_is_lost_on_a_console_that_cannot_show_a_name(encoding):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", SAYS], capture_output=True, env=environment)
    name = "写真" if encoding == "utf-8" else r"\u5199\u771f"
    assert done.stdout.decode(encoding) == f"skipped {name}.png\n"
    assert done.stderr.decode(encoding) == "error: caf\\udce9.png: no such photo\n"
    assert done.returncode == 2


def test_variables_that_libraries_fail_on_are_taken_out(monkeypatch):
    monkeypatch.setenv("RANK", "")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    assert ended(lambda: 7, monkeypatch) == 7
    assert "RANK" not in os.environ
    assert (os.environ["WORLD_SIZE"], os.environ["MPLBACKEND"]) == ("2", "Agg")


OPENS = """
import os
from common.runtime.command import run_command
def main():
    with open("photo", "wb") as photo:
        os.write(1, b"what a library says")
        photo.write(b"pixels")
    return 0
run_command(main)
"""


@posix_only
def test_what_libraries_say_gets_into_no_file_where_output_is_closed(tmp_path):
    command = [sys.executable, "-c", OPENS]
    done = subprocess.run(
        ["sh", "-c", '"$@" >&- 2>&-', "sh", *command], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    )
    assert done.returncode == 0
    assert (tmp_path / "photo").read_bytes() == b"pixels"
