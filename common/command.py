"""Running a script: its messages, its errors, its exit status."""

import logging
import sys
from logging.handlers import MemoryHandler

from common.errors import UserError

# Messages that come before the run folder exists, kept for its log.txt.
early_messages = MemoryHandler(capacity=10_000, flushLevel=logging.CRITICAL + 1)


def run_command(command):
    """Runs `command()`, a script's main function, and exits with the status it returns (None counts as 0).

    UserError ends the program with its message and status 2, Ctrl-C with 130.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    logging.captureWarnings(True)
    logging.getLogger().addHandler(early_messages)
    try:
        sys.exit(command())
    except UserError as error:
        sys.exit(exit_with(2, f"error: {error}"))
    except KeyboardInterrupt:
        sys.exit(exit_with(130, "\nstopped"))


def exit_with(status, message):
    print(message, file=sys.stderr)
    return status


def log_to(path):
    """Writes all messages into the file `path`, those that came before included."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    for record in early_messages.buffer:
        handler.handle(record)
    early_messages.buffer.clear()
    logging.getLogger().removeHandler(early_messages)
    logging.getLogger().addHandler(handler)
