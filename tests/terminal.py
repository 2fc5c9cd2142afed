"""`python -m tests.terminal MODULE ARGUMENTS...`: the command, in a terminal of its own."""

import os
import pty
import sys
from runpy import run_module


def show(terminal: int) -> None:
    """Prints what the terminal shows, until nothing writes to it any more."""
    while True:
        try:
            shown = os.read(terminal, 4096)
        except OSError:  # Linux's word for the end
            return
        if not shown:
            return
        sys.stdout.buffer.write(shown)


if __name__ == "__main__":
    process, terminal = pty.fork()
    if process == 0:
        sys.argv = sys.argv[1:]
        sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
        run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    show(terminal)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
