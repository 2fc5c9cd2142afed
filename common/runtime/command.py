"""Running a script: its errors, its exit status."""

import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from typing import NoReturn

from common.runtime.errors import ReportedError, UserError
from common.runtime.memory import keep_freed_memory
from common.runtime.messages import early_messages, write_traceback

log = logging.getLogger(__name__)


def run_command(command: Callable[[], int | None]) -> NoReturn:
    """Runs `command()`, a script's main function, and exits with the status it returns (None counts as 0).

    UserError ends the program with its message and status 2, Ctrl-C with 130, any other error with 1. A traceback is
    shown with `--debug` only; without, it goes into the run folder's log. Of several processes
    the first logs everything, the others only errors.
    """
    clean_environment()
    open_closed_streams()
    debug, rank = "--debug" in sys.argv, int(os.environ.get("RANK", 0))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # else a name that the console cannot show would lose the whole line
            stream.reconfigure(errors="backslashreplace")
    logging.basicConfig(level=logging.ERROR if rank else logging.INFO, format="%(message)s", stream=sys.stdout)
    logging.captureWarnings(True)
    logging.raiseExceptions = debug  # else a pipe that is closed (| head) makes each message print a traceback
    logging.getLogger().addHandler(early_messages)
    keep_freed_memory()
    try:
        status = run_and_explain(command, debug)
    finally:
        end_workers()
    if trained_with_others():
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status or 0)
    sys.exit(status)


def trained_with_others() -> bool:
    """Whether this is one of several processes that train together.

    On its usual way out, torch's threads that talk to the others abort some of them (torch 2.14 on a busy CPU), and the
    launcher then takes a finished training for a failed one.
    """
    distributed = sys.modules.get("torch.distributed")
    return distributed is not None and distributed.is_available() and distributed.is_initialized()


def open_closed_streams() -> None:
    """Gives input, output and errors a place if the caller closed them (`>&-`): else the next file that is opened gets
    their number, and messages of libraries are written into a photo."""
    for handle in range(3):
        try:
            os.fstat(handle)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 (to the end of the process)
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115


def clean_environment() -> None:
    """Takes out variables that libraries fail on: empty ones of launchers, and a notebook's way to show figures."""
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        if os.environ.get(name) == "":
            del os.environ[name]
    if os.environ.get("MPLBACKEND", "").startswith("module://"):
        os.environ["MPLBACKEND"] = "Agg"


def end_workers() -> None:
    """Ends loading processes: after an error they wait for work, and the program would wait for them for ever."""
    if workers := multiprocessing.active_children():
        if hasattr(signal, "SIGCHLD"):
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's handler raises when a worker is killed
        for worker in workers:
            worker.kill()


def run_and_explain(command: Callable[[], int | None], debug: bool) -> int | None:
    """The exit status of `command()`, after a message if it raises; with `debug` errors are raised."""
    try:
        return command()
    except UserError as error:
        if debug:
            raise
        return print_error(2, f"error: {error}")
    except ReportedError as error:
        if debug:
            raise
        return print_error(1, f"error: {error}")
    except KeyboardInterrupt:
        return print_error(130, "\nstopped")
    except Exception as error:
        if debug:
            raise
        kept = write_traceback()
        message = " ".join(str(error).split())
        return print_error(
            1,
            f"error: this should not happen: {type(error).__name__}: {message}\n"
            f"       {f'The traceback is in {kept}; or run' if kept else 'Run'} it again with --debug to see it.",
        )


def print_error(status: int, message: str) -> int:
    rank = os.environ.get("RANK", "0")
    print(message if rank == "0" else f"[process {rank}] {message}", file=sys.stderr)
    return status
