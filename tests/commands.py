"""Running the program as a user does, in a process of its own."""

import html
import os
import re
import subprocess
import sys
import warnings
from runpy import run_module
from unittest.mock import patch

import numpy as np
import pytest

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX: signals to groups, terminals or links")

PREDICT = """
import sys, numpy as np
from fastai.learner import load_learner
picture, *_ = load_learner(sys.argv[1]).predict(sys.argv[2])
np.save("out.npy", np.asarray(picture))
"""


def run(module, *arguments):
    """`python -m module arguments...`; the finished process, with `returncode`, `stdout` and `stderr`."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


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
