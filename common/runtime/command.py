"""Running a script: its messages, its errors, its exit status."""

import logging
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from io import TextIOWrapper
from logging.handlers import MemoryHandler
from pathlib import Path
from typing import NoReturn

from common.runtime.errors import ReportedError, UserError
from common.runtime.memory import keep_freed_memory

log = logging.getLogger(__name__)

RUN_LOG = "log of the run folder"

# Messages that come before the run folder exists, kept for its log.txt.
early_messages = MemoryHandler(capacity=10_000, flushLevel=logging.CRITICAL + 1)


def run_command(command: Callable[[], int | None]) -> NoReturn:
    """Runs `command()`, a script's main function, and exits with the status it returns (None counts as 0).

    UserError ends the program with its message and status 2, Ctrl-C with 130, any other error with 1. A traceback is
    shown with `--debug` only; without, it goes into the run folder's log. Of several processes
    the first logs everything, the others only errors.
    """
    clean_environment()
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


def show_messages() -> None:
    """Prints messages when Python calls the program and has not set up logging itself."""
    if not logging.getLogger().handlers:
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)


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


def write_traceback() -> str | None:
    """Writes the traceback of the error at hand into the log file; returns the file, or None if there is none yet."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler) and handler.stream is not None and handler.name == RUN_LOG:
            with suppress(OSError):  # a full disk may be what it is about
                handler.stream.write(traceback.format_exc())
                handler.flush()
                return handler.baseFilename
    return None


def end_log_file() -> None:
    """Closes the file of `log_to_file`, if there is one."""
    for handler in [handler for handler in logging.getLogger().handlers if handler.name == RUN_LOG]:
        logging.getLogger().removeHandler(handler)
        handler.close()


def log_to_file(path: Path) -> None:
    """Writes all messages into the file `path`, no longer into an earlier one; those that came before included."""
    end_log_file()
    handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    handler.name = RUN_LOG
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    for record in early_messages.buffer:
        handler.handle(record)
    early_messages.buffer.clear()
    logging.getLogger().removeHandler(early_messages)
    logging.getLogger().addHandler(handler)
