"""Where messages go: onto the screen, and into the log of a run folder."""

import logging
import sys
import traceback
from contextlib import suppress
from functools import lru_cache
from logging.handlers import MemoryHandler
from pathlib import Path

log = logging.getLogger(__name__)

RUN_LOG = "log of the run folder"

# Messages that come before the run folder exists, kept for its log.txt.
early_messages = MemoryHandler(capacity=10_000, flushLevel=logging.CRITICAL + 1)


def show_messages() -> None:
    """Prints messages when Python calls the program and has not set up logging itself; keeps them for the log of the
    run that is to come."""
    root = logging.getLogger()
    if not root.handlers:
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    if early_messages not in root.handlers:  # the log of a run has taken what was kept before
        root.addHandler(early_messages)


@lru_cache(maxsize=10_000)
def say_once(message: str, level: int = logging.INFO) -> None:
    """Logs what is found again and again, as training opens a photo."""
    log.log(level, "%s", message)


def warn_once(message: str) -> None:
    """`say_once`, as a warning."""
    say_once(message, logging.WARNING)


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


def end_log_file() -> None:
    """Closes the file of `log_to_file`, if there is one."""
    for handler in [handler for handler in logging.getLogger().handlers if handler.name == RUN_LOG]:
        logging.getLogger().removeHandler(handler)
        handler.close()


def write_traceback() -> str | None:
    """Writes the traceback of the error at hand into the log file; returns the file, or None if there is none yet."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler) and handler.stream is not None and handler.name == RUN_LOG:
            with suppress(OSError):  # a full disk may be what it is about
                handler.stream.write(traceback.format_exc())
                handler.flush()
                return handler.baseFilename
    return None
