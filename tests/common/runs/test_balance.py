"""`loss.balance: start`: shares become weights before training."""

import os
import signal

import pandas as pd
import pytest
import torch
import yaml

from common.batches.folders import PhotoSplit
from common.commands.notebook import get_learner
from common.config.losses import LossConfig
from common.config.yaml_file import load_config
from common.losses.pulls import shares
from common.runs.balance import first_pulls, with_balance
from superres.config import Config
from superres.task import TASK
from tests.commands import Command, posix_only, run

SRCNN = ["model={network: srcnn}", "train.workers=0", "train.stages=[{crop: 32, bs: 4, epochs: 1, lr: 1e-3}]"]
LOSS = "loss={vgg: random, l1: 1, ssim: 2, gram: {weight: 1, layers: {relu1_2: 1}}, balance: start}"


@pytest.fixture
def words(photos):
    return [f"data.path={photos}", "data.valid=[0.png]", *SRCNN]


def test_the_weights_give_the_first_results_the_shares_that_were_asked_for(words):
    learn = get_learner(TASK, "superres_demo.yaml", [*words, LOSS])
    assert learn.loss_func.config.balance == "none"
    pulls = first_pulls(learn)
    assert sum(pulls.values()) == pytest.approx(1, rel=1e-4)
    assert shares(pulls) == pytest.approx({"l1": 0.25, "ssim": 0.5, "gram": 0.25}, rel=1e-4)


@posix_only
@pytest.mark.slow
@pytest.mark.parametrize("balance", ["start", "always"])
def test_a_balanced_run_can_be_repeated_and_goes_on_exactly(words, tmp_path, balance):
    words = [*words, LOSS.replace("start", balance), f"output.path={tmp_path}", "data.crops_per_photo=8"]
    stages = "train.stages=[{crop: 32, bs: 4, epochs: %d, lr: 1e-3}]"
    whole = run("superres.train", *words, stages % 2, "output.name=whole")
    assert whole.returncode == 0, whole.stderr
    config = yaml.safe_load((tmp_path / "whole/config.yaml").read_text())
    assert config["loss"]["balance"] == ("none" if balance == "start" else "always")
    assert ("loss.ssim: 50 % of the pull, a weight of" in whole.stdout) == (balance == "start")
    if balance == "start":
        again = run("superres.train", tmp_path / "whole/config.yaml", "output.name=again")
        assert again.returncode == 0, again.stderr
        assert same_model(tmp_path, "whole", "again")
    stopped = Command("superres.train", *words, stages % 2, "output.name=parts")
    stopped.wait_for("epoch 1/2")
    os.kill(stopped.pid, signal.SIGTERM)
    assert stopped.wait().returncode == 130
    resumed = run("superres.train", "--resume", tmp_path / "parts")
    assert resumed.returncode == 0, resumed.stderr
    assert same_model(tmp_path, "whole", "parts")
    histories = [pd.read_csv(tmp_path / name / "history.csv").filter(like="pull_") for name in ("whole", "parts")]
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    page = (tmp_path / "parts/report.html").read_text()
    assert ("<figcaption>Shares of the pull on the picture, %" in page) == (balance == "always")
    if balance == "always":
        assert list(histories[0]) == ["pull_l1", "pull_ssim", "pull_gram"]
        assert histories[0].sum(axis=1).tolist() == pytest.approx([1, 1])
        assert histories[0].iloc[0].tolist() == pytest.approx([0.25, 0.5, 0.25], rel=1e-4)  # measured once
    else:
        assert "<td>pull at the start</td><td>l1 25 %, ssim 50 %, gram 25 %</td>" in page


def same_model(folder, *names):
    first, second = (folder / name / "model.safetensors" for name in names)
    return first.read_bytes() == second.read_bytes()


def test_a_stopped_run_keeps_its_weights_and_takes_the_rest_as_it_is_now(words, tmp_path):
    loss = LossConfig.model_validate(
        {"vgg": "old.pth", "l1": 0.3, "features": {"weight": 0.02, "layers": {"relu1_2": 1}}}
    )
    old = load_config(Config, None, [*words, "loss.l1=1"]).model_copy(update={"loss": loss})
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(old.model_dump(mode="json", by_alias=True)))
    now = loss.model_copy(update={"vgg": "new.pth", "l1": 1.0, "balance": "start"})
    config = old.model_copy(update={"loss": now})
    settled = with_balance(TASK, config, PhotoSplit([], []), torch.device("cpu"), tmp_path).loss
    assert (settled.vgg, settled.balance, settled.weight("l1"), settled.weight("features")) == (
        "new.pth", "none", 0.3, 0.02,
    )  # fmt: skip
