"""The benchmarks' parts: that lesson 7's recipe is what it says, and that figures are what they are called."""

import os
import sys
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from benchmarks.lesson7 import FeatureLoss, Lesson7Model
from benchmarks.measure import Worker, flops, format_number
from benchmarks.terms import pull, split
from benchmarks.train_step import Recipe, Step, ours
from common.config.losses import LossConfig
from common.losses.loss import PerceptualLoss
from common.losses.perceptual import gram_matrix
from common.models.vgg16 import VGG16Features
from tests.commands import run_here
from tests.videos import frames_of

CPU = torch.device("cpu")


def test_lesson7s_loss_is_the_lessons_sum(noise):
    loss, vgg = FeatureLoss("random"), VGG16Features(["relu3_3", "relu4_3", "relu5_3"], "random")
    pred = noise.flip(-1)
    expected = (pred - noise).abs().mean()
    with torch.no_grad():
        for weight, x, y in zip((5, 15, 2), vgg(pred).values(), vgg(noise).values(), strict=True):
            grams = (gram_matrix(x) - gram_matrix(y)).abs().mean()
            expected += weight * (x - y).abs().mean() + weight**2 * 5e3 * grams
    torch.testing.assert_close(loss(pred, noise), expected, rtol=1e-4, atol=0)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated:FutureWarning")
def test_lesson7s_model_enlarges_and_normalises_weights():
    model = Lesson7Model(scale=2, crop=64)
    assert model(torch.rand(2, 3, 32, 32)).shape == (2, 3, 64, 64)
    assert all(module.training for module in model.modules())
    assert sum(name.endswith("weight_g") for name, _ in model.named_parameters()) > 10


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated:FutureWarning")
@pytest.mark.parametrize("recipe", [Recipe(), replace(ours("bf16"), keep=False)])
def test_a_step_trains(recipe):
    step = Step(recipe, crop=64, bs=2, vgg="random", scale=2, device=CPU)
    step.optimizer.set_hyper("wd", 0)
    before = [parameter.clone() for parameter in step.model.parameters()]
    step()
    moved = [not torch.equal(a, b) for a, b in zip(before, step.model.parameters(), strict=True)]
    assert any(moved)
    if recipe == Recipe():
        assert sum(moved) > 0.9 * len(moved)  # ours begins with a last layer of zeros, which alone moves at first
    assert not any(parameter.grad.any() for parameter in step.model.parameters() if parameter.grad is not None)


def test_operations_of_a_convolution():
    conv = nn.Conv2d(3, 8, kernel_size=5, bias=False)
    image = torch.rand(2, 3, 14, 14)
    forward = 2 * 2 * 8 * 10 * 10 * 3 * 5 * 5  # a product and a sum, 2 pictures, 8 channels of 10 x 10, 75 weights each
    assert flops(lambda: conv(image)) == forward
    assert flops(lambda: conv(image).sum().backward()) == 2 * forward  # and the weights' gradients; the input has none


@pytest.mark.every
@pytest.mark.skipif(sys.platform != "linux", reason="how memory is limited and measured")
def test_a_process_that_takes_too_much_does_not_fit():
    worker = Worker(too_much, device=CPU, limit=2)
    assert worker.seconds() is None
    assert worker.peak() is None
    worker.close()
    worker = Worker(count_to, 5, device=CPU, limit=4)
    assert [worker.answer(), worker.answer()] == [5, 10]  # one process, one state
    assert 0.05 < worker.peak() < 4
    worker.close()


def too_much(device):
    return partial(torch.ones, 30_000, 25_000, device=device)


def count_to(n, device):
    assert device == CPU
    counted = []

    def work():
        counted.extend([0] * n)
        return len(counted)

    return work


@pytest.mark.slow
def test_a_process_that_dies_counts_as_none():
    worker = Worker(count_to, 5, device=CPU)
    worker.ask(os._exit, 1)
    assert worker.fits is False
    assert worker.answer() is None
    worker.close()


@pytest.mark.parametrize(
    "name", ["train_step", "predict", "loader", "cost", "tiling", "damages", "precisions", "gpu", "blurred"]
)
def test_every_benchmark_shows_its_help(name, capsys):
    assert run_here(f"benchmarks.{name}", "--help") == 0
    assert capsys.readouterr().out.startswith("usage: ")


def test_noise_is_told_from_noise_that_was_enlarged_or_blurred(tmp_path, capsys):
    noise = np.random.default_rng(0).integers(0, 256, (260, 256, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    Image.fromarray(noise[:100]).save(tmp_path / "small.png")
    assert not run_here("benchmarks.blurred", "--data", tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 14
    assert all("right:    1 of 1, not told: 1" in line for line in lines)


def test_figures_are_short():
    assert [format_number(number) for number in (1234567.8, 99.94, 0.012345, None)] == [
        "1,234,568", "99.9", "0.0123", "does not fit",
    ]  # fmt: skip


def test_the_video_has_its_scenes_and_noise(tmp_path, capsys):
    path = tmp_path / "a.mp4"
    assert not run_here("benchmarks.video", path, "--frames", "8", "--size", "64", "48", "--noise", "3")
    assert "8 frames, 64 x 48, noise 3" in capsys.readouterr().out
    frames = [frame.to_ndarray(format="rgb24").astype(float) for frame in frames_of(path)]
    changes = [np.abs(after - before).mean() for before, after in pairwise(frames)]
    assert len(frames) == 8
    assert max(changes) == changes[3]  # the cut
    assert run_here("benchmarks.video", tmp_path / "a.webm") == 2
    assert "must end in .mp4 or .mkv" in capsys.readouterr().err


def test_a_loss_is_split_into_terms_and_layers_that_add_up(noise):
    layers = {"relu1_2": 3, "relu2_2": 0.5}
    config = {"vgg": "random", "l1": 1, "ssim": 2, "features": {"weight": 2, "layers": layers}}
    loss = PerceptualLoss(LossConfig.model_validate({**config, "gram": {"weight": 5, "layers": layers}}))
    pairs = [(noise, noise.flip(-1), None, noise), (noise, noise.flip(-2), None, noise)]
    parts = {name: pull(part, pairs) for name, part in split(loss)}
    assert list(parts) == ["l1", "ssim", *(f"{name} {layer}" for name in ("features", "gram") for layer in layers)]
    whole = sum(loss(pred, true).item() for _, pred, _, true in pairs) / 2
    assert sum(value for value, _ in parts.values()) == pytest.approx(whole, rel=1e-5)
    assert parts["l1"][1] == pytest.approx(1, rel=1e-4)  # each pixel pulls by 1 / N, up or down
    heavier = PerceptualLoss(LossConfig.model_validate({**config, "l1": 0.5}))
    assert {n: pull(part, pairs) for n, part in split(heavier)}["l1"][1] == pytest.approx(0.5, rel=1e-4)
