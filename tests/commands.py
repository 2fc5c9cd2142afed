"""Running the program as a user does, in a process of its own.

Importing torch and fastai takes seconds. Where the system can fork, one process imports them, and each command is a
fork of it.
"""

import html
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import time
import warnings
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path
from runpy import run_module
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
import pytest

from tests.narrow import is_narrow, narrow

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX: signals to groups, terminals or links")

PREDICT = """
import sys, numpy as np
from fastai.learner import load_learner
picture, *_ = load_learner(sys.argv[1]).predict(sys.argv[2])
np.save("out.npy", np.asarray(picture))
"""

CAN_FORK = "forkserver" in multiprocessing.get_all_start_methods()
if CAN_FORK:
    get_context("forkserver").set_forkserver_preload(["tests.imported"])


class Command:
    """`python -m module arguments...` that was started, the leader of a group of its own.

    `pid`; `stdout` and `stderr`, what it has said so far; `returncode`, once `wait` came back.
    together: stdout has what it says on stderr, too, in the order in which it said it.
    """

    def __init__(self, module, *arguments, together=False, **environment):
        self.folder = TemporaryDirectory()
        self.files = [Path(self.folder.name, "stdout"), Path(self.folder.name, "stdout" if together else "stderr")]
        for path in self.files:
            path.touch()
        words = [module, *map(str, arguments)]
        place = Path.cwd(), {**os.environ, **environment}
        state = multiprocessing.get_start_method(allow_none=True), is_narrow()
        self.process = get_context("forkserver").Process(target=be, args=(words, self.files, *place, *state))
        self.process.start()
        self.pid = self.process.pid

    @property
    def stdout(self):
        return self.files[0].read_text()

    @property
    def stderr(self):
        return self.files[1].read_text()

    @property
    def returncode(self):
        return self.process.exitcode

    def wait_for(self, beginning):
        """Waits for a line on stdout that starts so, or for the end."""
        while self.process.is_alive() and not re.search(f"^{re.escape(beginning)}", self.stdout, re.MULTILINE):
            time.sleep(0.01)

    def wait(self, timeout=300):
        """Waits for its end; stops it after `timeout` seconds."""
        self.process.join(timeout)
        if self.process.is_alive():
            os.killpg(self.pid, signal.SIGKILL)
            raise TimeoutError(f"it did not end: {self.stdout}{self.stderr}")
        return self


def be(words, files, folder, environment, start_method, in_narrow):
    """Makes the process that calls it into the command `words`."""
    os.setsid()
    multiprocessing.set_start_method(start_method, force=True)
    for number, path in enumerate(files, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), number)
    sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    random.seed()  # as in any new process; a fork has the numbers of its parent
    np.random.seed()
    sys.argv, sys.orig_argv = words, [sys.executable, "-m", *words]
    with narrow() if in_narrow else nullcontext():
        run_module(words[0], run_name="__main__", alter_sys=True)


def run(module, *arguments, **environment):
    """`python -m module arguments...`; the finished process, with `returncode`, `stdout` and `stderr`."""
    if CAN_FORK:
        return Command(module, *arguments, **environment).wait()
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env={**os.environ, **environment})


def learner_predicts(export, photo, folder):
    """What fastai's `load_learner(export).predict(photo)` gives, (3, H, W) of 0 to 255, in a process in `folder`."""
    command = [sys.executable, "-c", PREDICT, export, photo]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=300)
    assert done.returncode == 0, done.stderr
    return np.load(folder / "out.npy").astype(float)


def run_here(module, *arguments):
    """The same in this process, for what ends early: its exit status. Messages go to sys.stderr, for capsys."""
    with pytest.raises(SystemExit) as ended:
        raise_here(module, *arguments)
    return ended.value.code or 0  # SystemExit(None) is success


def raise_here(module, *arguments):
    """The same, with SystemExit or whatever else it raises."""
    with (
        warnings.catch_warnings(action="ignore", category=RuntimeWarning),  # that the module was imported before
        patch.object(sys, "argv", [module, *map(str, arguments)]),
    ):
        run_module(module, run_name="__main__", alter_sys=False)


def read_table(page):
    """The first table of a page, row by row; the cell that a column marks as the best in `**`."""
    table = re.search("<table>(.*?)</table>", page.read_text(encoding="utf-8"), re.DOTALL)[1]
    rows = [re.findall("<t[hd]([^>]*)>(.*?)</t[hd]>", row, re.DOTALL) for row in table.split("<tr>")[1:]]
    cells = [[(style, html.unescape(re.sub("<.*?>", "", text))) for style, text in row] for row in rows]
    return [[f"**{text}**" if "best" in style else text for style, text in row] for row in cells]
