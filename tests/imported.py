"""All that commands import: `tests.commands` forks them from a process that has done so."""

# ruff: noqa: F401

import numpy
import pytest

import common.commands.compare
import common.commands.evaluate
import common.commands.export
import common.commands.lr_find
import common.commands.notebook
import common.commands.predict
import common.commands.train
import common.runs.outcome
import common.runs.train
import common.studies.compare
import tests.narrow
from colorize.task import TASK as COLORIZE
from styletransfer.task import TASK as STYLETRANSFER
from superres.task import TASK as SUPERRES
from tests.trials import trials_that_find

trials_that_find(1.0).__enter__()
for task in (SUPERRES, COLORIZE, STYLETRANSFER):
    for part in (task.use, task.training, task.measuring):
        part()
