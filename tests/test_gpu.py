"""On a GPU: what no CPU shows (`pytest -m gpu`). On any machine: whether all tensors of a step meet on one device.

For the latter torch plays CUDA without having it: such tensors have a shape and a device, and no values. Their backward
pass needs a driver, so it is left to the real one.
"""

import importlib
import os
import signal
from contextlib import ExitStack, nullcontext

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.utils.stateless import _reparametrize_module

from common.batches.folders import PhotoSplit, sample_photos
from common.commands.configs import CONFIGS
from common.config.yaml_file import load_config
from common.inference.ready import ready
from common.inference.tiles import enhance, enhance_together
from common.runtime.errors import TrainingStopped
from common.training.loss_context import take_output
from tests.commands import Command, posix_only, run

TASKS = {"superres": "superres_2x.yaml", "colorize": "colorize.yaml", "styletransfer": "styletransfer_johnson.yaml"}
HALVES = {"fp32": None, "fp16": torch.float16, "bf16": torch.bfloat16}
on_gpu = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]


def words_for(name, *words):
    pretrained = [] if name == "styletransfer" else ["model.encoder=resnet18", "model.pretrained=false"]
    return ["loss.vgg=random", *pretrained, *words]


def get_task(name):
    return importlib.import_module(f"{name}.task").TASK


def on_fake_gpu(module):
    tensors = dict([*module.named_parameters(), *module.named_buffers()])
    return _reparametrize_module(module, {name: torch.empty_like(t, device="cuda") for name, t in tensors.items()})


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("precision", HALVES)
def test_all_that_a_step_needs_meets_on_one_device(name, precision):
    task, half = get_task(name), HALVES[precision]
    config = load_config(task.config, CONFIGS / TASKS[name], words_for(name))
    photos = PhotoSplit(sample_photos()[:2], [])
    model, loss = task.training().build(config, None, photos)
    metrics = task.training().get_metrics(config, loss)
    with ExitStack() as stack:
        stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        for module in (model, loss):
            stack.enter_context(on_fake_gpu(module))
        target = torch.rand(2, 3, 64, 64, device="cuda")
        low = target[..., ::2, ::2] if name == "superres" else target
        with torch.autocast("cuda", dtype=half) if half else nullcontext():
            pred = model(low)
            loss.input, loss.output = low, take_output(model)
            value = loss(pred.float(), target)
        results = [value, *loss.terms.values(), *(metric(pred.float(), target) for metric in metrics)]
    assert pred.shape == target.shape
    assert {result.device.type for result in results} == {"cuda"}


def test_a_tensor_left_on_the_cpu_would_be_found():
    config = load_config(get_task("superres").config, CONFIGS / TASKS["superres"], words_for("superres"))
    model, _ = get_task("superres").training().build(config, None)
    with FakeTensorMode(allow_non_fake_inputs=True), pytest.raises(RuntimeError, match=r"cuda:0 and cpu|same device"):
        model(torch.rand(1, 3, 64, 64, device="cuda"))


@pytest.fixture
def config_words(photos, tmp_path):
    def words(name, precision, run_name):
        stage = "train.stages=[{crop: 64, bs: 2, epochs: 8, lr: 1e-3}]"
        return [
            CONFIGS / TASKS[name], *words_for(name), f"data.path={photos}", "data.valid=[0.png]",
            f"output.path={tmp_path}", f"output.name={run_name}", f"train.precision={precision}", stage,
            "train.device=cuda", "train.workers=2",
        ]  # fmt: skip

    return words


class TestOnAGpu:
    pytestmark = on_gpu

    @pytest.mark.parametrize("name", TASKS)
    @pytest.mark.parametrize("precision", ["fp16", "bf16"])
    def test_every_task_trains_in_half_precision(self, name, precision, config_words, tmp_path):
        ended = run(f"{name}.train", *config_words(name, precision, "run"))
        assert ended.returncode == 0, ended.stdout + ended.stderr
        history = pd.read_csv(tmp_path / "run/history.csv")
        assert np.isfinite(history[["train_loss", "valid_loss"]]).all(axis=None)

    @posix_only
    def test_a_run_that_goes_on_has_the_loss_of_one_that_never_stopped(self, config_words, tmp_path):
        words = config_words("superres", "bf16", "whole")
        assert run("superres.train", *words).returncode == 0
        words[words.index("output.name=whole")] = "output.name=parts"
        command = Command("superres.train", *words)
        command.wait_for("epoch 1/8")
        os.kill(command.pid, signal.SIGTERM)
        assert command.wait().returncode == 130
        assert run("superres.train", "--resume", tmp_path / "parts").returncode == 0
        losses = [pd.read_csv(tmp_path / name / "history.csv")["valid_loss"].iloc[-1] for name in ("whole", "parts")]
        assert losses[1] == pytest.approx(losses[0], rel=0.02)

    @pytest.mark.parametrize(("precision", "most"), [("fp32", 1), ("fp16", 3), ("bf16", 8)])
    def test_a_photo_is_enlarged_as_on_the_cpu(self, photos, precision, most):
        config = load_config(get_task("superres").config, CONFIGS / TASKS["superres"], words_for("superres"))
        model, _ = get_task("superres").training().build(config, None)
        torch.nn.init.normal_(model.unet.last.weight, std=0.02)
        photo = np.asarray(Image.open(photos / "0.png"))
        expected = enhance(ready(model, torch.device("cpu"), "fp32"), photo, 2).astype(int)
        on_device = ready(model, torch.device("cuda"), precision)
        found = enhance(on_device, photo, 2).astype(int)
        assert abs(found - expected).max() <= most
        together = enhance_together(on_device, [photo, photo[::-1].copy()])
        assert abs(together[0].astype(int) - found).max() <= most

    def test_memory_that_runs_out_is_told(self):
        from common.runtime.out_of_memory import is_out_of_memory

        with pytest.raises(torch.OutOfMemoryError) as caught:
            torch.empty(2**48, device="cuda")
        assert is_out_of_memory(caught.value)
        assert not is_out_of_memory(TrainingStopped("no"))
