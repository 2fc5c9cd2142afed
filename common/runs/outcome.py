"""How a training ended: an exit status, and a message that says how to continue one that stopped early."""

import logging
import os
import shlex
from collections.abc import Callable
from pathlib import Path

from common.runtime.errors import TrainingDiverged, TrainingStopped, WriteError

log = logging.getLogger(__name__)


def run_training(module: str, work: Callable[[], object], current_folder: Callable[[], Path | None]) -> int:
    """Calls work(), which trains, and returns the exit status. If it stops early, a message says how to continue.

    module: whose `--resume` takes the folder that current_folder() returns (None before there is one).
    """
    try:
        work()
        return 0
    except TrainingDiverged as error:
        others = int(os.environ.get("RANK") or 0) > 0  # each of several processes knows, and the first says it
        log.log(logging.INFO if others else logging.ERROR, "error: %s", error)
        return 1
    except TrainingStopped as error:
        stop = error
    except WriteError as error:
        if current_folder() is None:
            raise
        stop = TrainingStopped(f"{error}; what was saved before is intact")
    except KeyboardInterrupt:
        if current_folder() is None:
            raise
        stop = TrainingStopped("stopped at once: what was done since the last save is lost", status=130)
    failed = stop.status in (1, 2)
    message = f"error: {stop}" if failed else f"{stop}"
    if (folder := current_folder()) is not None:
        message += f"\nto continue:  python -m {module} --resume {shlex.quote(str(folder))}"
    log.log(logging.ERROR if failed else logging.INFO, message)
    return stop.status
