"""A training needs its checkpoints; without its other files it goes on."""

import logging
from pathlib import Path

import pandas as pd
import pytest

from common.runs import callbacks, fit, page
from common.runs.card import minutes_of
from common.runs.fit import fit_run
from common.runtime import files
from common.runtime.errors import WriteError
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
    monkeypatch.setattr(files, "PAUSES", ())
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
    (warning,) = (record.message for record in caplog.records if record.levelno >= logging.WARNING)
    assert warning.startswith(f"skipped {tmp_path}/history.csv: cannot be written (Permission denied)")
    assert warning.endswith("; the training goes on")
    assert pd.read_csv(tmp_path / "history.csv")["epoch"].tolist() == [1, 2, 3]


def test_pictures_that_cannot_be_written_are_warned_of_once(held, tmp_path, caplog):
    held.extend(f"epoch_{i:03}.png" for i in (1, 2))
    fit_run(make_learner(Network(), epochs=3), tmp_path)
    assert [record.levelname for record in caplog.records].count("WARNING") == 1
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["epoch_003.png"]


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


def test_the_best_weights_are_the_last_ones_under_another_name(held, tmp_path):
    learn = make_learner(Network(), epochs=2)
    same = []

    def save(path, model):  # under a new name, then renamed, as model files are
        with callbacks.atomic_write(path) as temporary:
            temporary.write_text(str(learn.epoch))

    object.__setattr__(learn.files, "save", save)

    class Look(callbacks.Callback):
        order = 64

        def after_epoch(self):
            same.append(learn.checkpoints.best.samefile(learn.checkpoints.last))
            learn.checkpoints.best_loss = -1  # no other is better

    learn.add_cb(Look())
    fit_run(learn, tmp_path)
    assert same == [True, False]
    assert [(tmp_path / f"checkpoints/{name}.safetensors").read_text() for name in ("best", "last")] == ["0", "1"]


def test_an_epoch_that_was_stopped_counts_the_seconds_before(monkeypatch, tmp_path):
    now = [100.0]
    monkeypatch.setattr(callbacks.time, "time", lambda: now[0])
    before = callbacks.History(tmp_path / "history.csv", [])
    before.before_epoch()
    now[0] += 30
    state = before.state_dict()
    now[0] += 1000
    after = callbacks.History(tmp_path / "history.csv", [])
    after.load_state_dict(state)
    after.before_epoch()
    now[0] += 5
    assert after.state_dict()["seconds of this epoch"] == 35


def test_the_seconds_of_a_card_need_no_history(tmp_path):
    assert minutes_of(tmp_path) == 0
    (tmp_path / "history.csv").touch()
    assert minutes_of(tmp_path) == 0
