from types import SimpleNamespace

import pandas as pd
import pytest
import torch
import yaml
from fastai.learner import CancelTrainException

from common.batches.folders import PhotoSplit
from common.commands.notebook import get_learner
from common.config.yaml_file import load_config
from common.runs import minutes
from common.runs.minutes import Timer
from superres.config import Config
from superres.task import TASK
from tests.commands import run

SRCNN = ["model={network: srcnn}", "loss.l1=1", "train.workers=0"]


@pytest.mark.parametrize(("given", "steps"), [(6, [116, 232]), (0.01, [2, 2])])
def test_stages_share_the_time_as_their_epochs_do(monkeypatch, given, steps):
    """6 minutes, 3 + 1 epochs: 90 s each, of which 3 s are of the validation."""
    seconds = [(0.75, 3.0), (0.375, 3.0)]
    monkeypatch.setattr(minutes, "get_learner", lambda *_: None)
    monkeypatch.setattr(minutes, "without_progress_bars", lambda learn: learn)
    monkeypatch.setattr(minutes, "time_stage", lambda learn, index: seconds[index])
    stages = "[{crop: 32, bs: 2, epochs: 3, lr: 1e-3}, {crop: 64, bs: 2, epochs: 1, lr: 1e-3}]"
    config = load_config(Config, None, [*SRCNN, f"train.minutes={given}", f"train.stages={stages}"])
    settled = minutes.with_steps(TASK, config, PhotoSplit([], []), torch.device("cpu"), None)
    assert [stage.steps for stage in settled.train.stages] == steps
    assert settled.train.minutes is None
    assert [stage.epochs for stage in settled.train.stages] == [3, 1]


@pytest.mark.slow
def test_a_run_of_minutes_is_the_run_of_the_steps_that_its_config_has(photos, tmp_path):
    words = [f"data.path={photos}", "data.valid=[0.png]", *SRCNN, f"output.path={tmp_path}"]
    stage = "train.stages=[{crop: 32, bs: 4, epochs: 2, lr: 1e-3}]"
    timed = run("superres.train", *words, stage, "train.minutes=0.02", "output.name=timed")
    assert timed.returncode == 0, timed.stderr
    config = yaml.safe_load((tmp_path / "timed/config.yaml").read_text())
    (settled,) = config["train"]["stages"]
    assert f"so {settled['steps']} steps in each of 2 epochs" in timed.stdout
    assert settled["steps"] > 2
    again = run("superres.train", tmp_path / "timed/config.yaml", "output.name=again")
    assert again.returncode == 0, again.stderr
    files = [tmp_path / name / "model.safetensors" for name in ("timed", "again")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert run("superres.train", "--resume", tmp_path / "timed", "train.stages.0.epochs=3").returncode == 0
    assert len(pd.read_csv(tmp_path / "timed/history.csv")) == 3


def test_the_second_epoch_is_timed(monkeypatch):
    """In the first, photos are decoded and code is compiled: here 10 s a step, then 1 s."""
    now = [0.0]
    monkeypatch.setattr(minutes.time, "perf_counter", lambda: now[0])
    timer = Timer(1)
    timer.learn = SimpleNamespace(training=True, iter=0)
    for step, validation in ((10, 100), (1, 5)):
        timer("before_train")
        with pytest.raises(CancelTrainException):
            while True:
                now[0] += step
                timer("after_batch")
        timer("before_validate")
        now[0] += validation
        timer("after_validate")
    assert (timer.step, timer.validation) == (1, 5)


def test_a_step_has_all_of_its_parts(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(minutes.time, "perf_counter", lambda: now[0])
    timer = Timer(4)
    timer.learn = SimpleNamespace(training=True, iter=0)
    timer("before_train")
    with pytest.raises(CancelTrainException):
        for timer.learn.iter in range(100):
            now[0] += 1
            timer("after_batch")
    assert timer.step == 4


@pytest.mark.slow
def test_a_learner_of_minutes_trains_so_many_steps(photos):
    stage = "train.stages=[{crop: 32, bs: 4, epochs: 2, lr: 1e-3}]"
    words = [f"data.path={photos}", "data.valid=[0.png]", *SRCNN, stage]
    learn = get_learner(TASK, "superres_demo.yaml", [*words, "train.minutes=0.02"])
    (stage,) = learn.train_config.stages
    assert stage.steps > 2
    assert len(learn.dls.train) == stage.steps


def test_a_run_that_goes_on_keeps_its_steps_and_nothing_else(tmp_path):
    stages = "train.stages=[{crop: 32, bs: 2, epochs: 2, steps: 7, lr: 1e-3}]"
    old = load_config(Config, None, [*SRCNN, stages])
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(old.model_dump(mode="json", by_alias=True)))
    stages = "train.stages=[{crop: 32, bs: 2, epochs: 5, lr: 1e-3}, {crop: 32, bs: 2, epochs: 1, lr: 1e-4}]"
    now = minutes.with_steps_of(tmp_path, load_config(Config, None, [*SRCNN, stages, "train.minutes=9"])).train
    assert now.minutes is None
    assert [(stage.epochs, stage.steps, stage.lr) for stage in now.stages] == [(5, 7, 1e-3), (1, 7, 1e-4)]
