"""What comes before a fit."""

import importlib
import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from common.commands.configs import CONFIGS
from common.config.yaml_file import load_config
from common.runs.folder import open_run
from common.runs.prepare import (
    get_learner,
    prepare,
    with_model_of_box,
    with_one_vgg16,
    without_idle_freezing,
)
from common.runs.resume import RESUME_FILE
from common.runtime import processes
from common.runtime.errors import UserError
from common.runtime.precision import choose_precision
from styletransfer.task import TASK as STYLETRANSFER
from superres.config import Config
from superres.task import TASK

PRETRAINED = {
    "superres_2x": "model.pretrained",
    "colorize": "model.pretrained",
    "styletransfer": "model.unet.pretrained",
}


def config_built_from(task, config, resume):
    """The config that `get_learner` builds the network from."""
    seen = []

    def build(config, run, _):
        assert run == resume
        seen.append(config)
        raise InterruptedError

    training = replace(task.training(), build=build)
    with pytest.raises(InterruptedError):
        get_learner(replace(task, training=lambda: training), config, None, torch.device("cpu"), resume)
    return seen[0]


def test_a_name_in_the_box_is_that_model_and_a_file_of_ones_own_goes_before_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    named = load_config(Config, CONFIGS / "superres_2x.yaml", ["train.start_from=2x"])
    assert with_model_of_box(TASK, named).train.start_from == TASK.box / "2x.safetensors"
    other = load_config(Config, CONFIGS / "superres_2x.yaml", ["train.start_from=3x"])
    assert with_model_of_box(TASK, other) is other
    assert with_model_of_box(STYLETRANSFER, named) is named  # which has no box
    Path("2x").mkdir()  # of photos, say
    assert with_model_of_box(TASK, named).train.start_from == TASK.box / "2x.safetensors"
    Path("2x").rmdir()
    Path("2x").touch()
    assert with_model_of_box(TASK, named) is named


@pytest.mark.parametrize("name", PRETRAINED)
def test_a_run_with_a_resume_point_needs_no_first_weights(name, tmp_path):
    task = importlib.import_module(f"{name.split('_')[0]}.task").TASK
    words = [f"{PRETRAINED[name]}=resnet.pth", "train.start_from=model.safetensors"]
    config = load_config(task.config, CONFIGS / f"{name}.yaml", words)
    assert config_built_from(task, config, None) is config
    assert config_built_from(task, config, tmp_path) is config  # stopped before its first save
    (tmp_path / RESUME_FILE).parent.mkdir()
    (tmp_path / RESUME_FILE).touch()
    resumed = config_built_from(task, config, tmp_path)
    assert config.model.has_pretrained_encoder and not resumed.model.has_pretrained_encoder
    assert config.train.start_from is not None and resumed.train.start_from is None
    assert resumed.train.model_copy(update={"start_from": config.train.start_from}) == config.train
    assert resumed.data == config.data and resumed.loss == config.loss


def start_or_continue(run, words, resume=None):
    """What `superres.train` does around its fit."""
    asked = load_config(Config, resume and run / "config.yaml", words)
    config, photos, device = prepare(TASK, asked, resume)
    precision = choose_precision(config.train.precision, device, None, "train.precision =")
    with open_run(resume, "superres", config, "run", device, precision, photos):
        pass


def test_a_run_of_a_gpu_continues_on_a_cpu(photos, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    run, stages = tmp_path / "run", "train.stages=[{crop: 32, bs: 2, epochs: 1, lr: 1e-3}]"
    words = [f"data.path={photos}", "loss.l1=1", stages, f"output.path={tmp_path}", "output.name=run"]
    with monkeypatch.context() as on_a_gpu:
        on_a_gpu.setattr(processes, "join", lambda _: torch.device("cuda", 0))
        on_a_gpu.setattr(torch.cuda, "get_device_name", lambda _: "H200")
        start_or_continue(run, words)
    start_or_continue(run, [], resume=run)
    before, now = json.loads((run / "environment.json").read_text())
    assert (before["device"], before["precision"]) == ("H200", "fp16")
    assert (before["workers"], now["workers"]) == (min(8, processes.usable_cores()), 0)
    assert (now["device"][:3], now["precision"]) == ("cpu", "fp32")
    assert "changed, so the last digits may differ: precision: fp16 -> fp32" in caplog.messages
    with pytest.raises(UserError, match=r"train.precision = fp16: needs a CUDA GPU, this run is on cpu"):
        start_or_continue(run, ["train.precision=fp16"], resume=run)


def test_nothing_is_frozen_that_was_not_trained_before(caplog):
    words = ["loss.l1=1", "train.stages=[{crop: 32, bs: 2, epochs: 1, lr: 1e-3, frozen: true}]"]
    config = load_config(Config, None, words)
    assert without_idle_freezing(config) is config
    assert not caplog.messages
    alone = load_config(Config, None, [*words, "model.pretrained=false"])
    assert not without_idle_freezing(alone).train.stages[0].frozen
    assert "there is no trained encoder to keep" in caplog.text
    started = load_config(Config, None, [*words, "model.pretrained=false", "train.start_from=x"])
    assert without_idle_freezing(started) is started


@pytest.mark.parametrize(
    ("task", "words", "place"),
    [
        (TASK, ["model.encoder=vgg16"], lambda config: config.model),
        (STYLETRANSFER, ["model.unet.encoder=vgg16", "loss.gram={weight: 1, layers: {relu1_2: 1}}"],
         lambda config: config.model.unet),
    ],
)  # fmt: skip
def test_an_encoder_has_the_vgg16_of_the_loss(task, words, place):
    stages = "train.stages=[{crop: 32, bs: 1, epochs: 1, lr: 1}]"

    def pretrained(*more):
        return place(with_one_vgg16(load_config(task.config, None, ["loss.l1=1", stages, *words, *more]))).pretrained

    assert pretrained("loss.vgg=my.pth") == Path("my.pth")
    assert pretrained() is True  # torchvision's, of both
    key = words[0].replace("encoder=vgg16", "pretrained")
    assert pretrained("loss.vgg=my.pth", f"{key}=other.pth") == Path("other.pth")
    assert pretrained("loss.vgg=my.pth", words[0].replace("vgg16", "resnet18")) is True


def test_batch_norm_needs_more_than_one_value_in_each_process(monkeypatch):
    model = "model={norm: batch, encoder: resnet18, pretrained: false}"
    stages = "train.stages=[{crop: 64, bs: %d, epochs: 1, lr: 1e-3}]"
    small, enough = (load_config(Config, None, ["loss={l1: 1}", "data.scale=2", model, stages % bs]) for bs in (2, 4))
    assert small.lone_crop(1) is None
    assert enough.lone_crop(2) is None
    monkeypatch.setattr(processes, "join", lambda _: torch.device("cpu"))
    monkeypatch.setattr(processes, "count", lambda: 2)
    with pytest.raises(UserError, match=r"a single crop of 64 px is one value .* \(bs, accumulate, fewer processes\)"):
        prepare(TASK, small)
