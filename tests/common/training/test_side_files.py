"""A training needs its checkpoints; without its other files it goes on."""

import logging
from pathlib import Path

import pandas as pd
import pytest

from common.runs import callbacks, fit, page
from common.runs.fit import fit_run
from common.runtime.errors import WriteError
from common.training import side_files
from tests.common.training.test_finite_steps import Network, make_learner


@pytest.fixture
def held(monkeypatch):
    """Names of files that another program has open, as Windows tells it."""
    names, replace = [], Path.replace

    def refuse(path, target):
        if Path(target).name in names:
            raise PermissionError(13, "Permission denied")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr(side_files, "WAITS", (0.001, 0.001))
    monkeypatch.setattr(fit, "write_run_page", lambda *_, **__: None)  # it needs what `open_run` writes
    monkeypatch.setattr(page, "write_run_page", lambda *_, **__: None)
    return names


def test_a_history_that_excel_has_open_is_written_when_it_is_closed(held, tmp_path, caplog):
    held.append("history.csv")
    learn = make_learner(Network(), epochs=3)

    class Close(callbacks.Callback):
        order = 60

        def after_epoch(self):
            if self.epoch == 2:
                held.clear()

    learn.add_cb(Close())
    fit_run(learn, tmp_path)
    warning = f"WARNING: {tmp_path}/history.csv: cannot be written (Permission denied); the training goes on without it"
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == [warning]
    assert pd.read_csv(tmp_path / "history.csv")["epoch"].tolist() == [1, 2, 3]


def test_a_file_that_is_held_for_a_moment_is_written_without_a_word(held, tmp_path, caplog):
    held.append("a.txt")
    tries = []

    def write():
        tries.append(1)
        if len(tries) == 3:
            held.clear()
        with callbacks.atomic_write(tmp_path / "a.txt") as temporary:
            temporary.write_text("written")

    side_files.write_side_file(tmp_path / "a.txt", write)
    assert (tmp_path / "a.txt").read_text() == "written"
    assert not caplog.messages


def test_pictures_that_cannot_be_written_are_warned_of_once(held, tmp_path, caplog):
    held.extend(f"epoch_{i:03}.png" for i in (1, 2))
    fit_run(make_learner(Network(), epochs=3), tmp_path)
    assert [record.levelname for record in caplog.records].count("WARNING") == 1
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["epoch_003.png"]


def test_a_page_that_cannot_be_written_ends_nothing(held, tmp_path, caplog, monkeypatch):
    def fail(*_, **__):
        raise WriteError("report.html: cannot be written (No space left on device)")

    monkeypatch.setattr(page, "write_run_page", fail)
    fit_run(make_learner(Network(), epochs=2), tmp_path)
    assert caplog.text.count("report.html: cannot be written") == 1


@pytest.mark.parametrize("name", ["last.safetensors", "resume.pt"])
def test_a_checkpoint_that_cannot_be_written_ends_the_training(name, held, tmp_path):
    held.append(name)
    learn = make_learner(Network())
    save = learn.files.save

    def save_atomically(path, model):
        with callbacks.atomic_write(path) as temporary:
            save(temporary, model)

    object.__setattr__(learn.files, "save", save_atomically)
    with pytest.raises(WriteError, match=f"{name}: cannot be written"):
        fit_run(learn, tmp_path)
