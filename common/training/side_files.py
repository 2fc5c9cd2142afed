"""Files that a training writes beside its checkpoints: without one of them it goes on."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from common.runtime.errors import WriteError

log = logging.getLogger(__name__)

WAITS = (0.1, 0.4, 1.0)  # seconds: a virus scanner lets go of a file soon, Excel does not

failing: set[Path] = set()  # what has been said


def write_side_file(path: Path, write: Callable[[], object]) -> None:
    """Calls write(), which writes `path` or into it, and a few times more if that fails.

    If it still does, there is a warning, once, and the training goes on.
    """
    message = ""
    for wait in (0, *WAITS) if path not in failing else (0,):
        time.sleep(wait)
        try:
            write()
        except (OSError, WriteError) as error:
            message = str(error)
        else:
            failing.discard(path)
            return
    if path not in failing:
        log.warning("WARNING: %s; the training goes on without it", message)
        failing.add(path)
