"""One training step: lesson 7's recipe, each of our changes alone, all of them together, and all but one.

python -m benchmarks.train_step                                        2x, 128 px crops; 13 minutes on 2 CPU cores
python -m benchmarks.train_step --quality 300 --data ~/photos          only what both have learned after 300 equal steps
"""

import argparse
import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import fastai.optimizer
import pandas as pd
import torch
from fastai.callback.schedule import combined_cos

from benchmarks.lesson7 import FeatureLoss, Lesson7Model
from benchmarks.measure import (
    DTYPES,
    Row,
    Worker,
    describe_machine,
    flops,
    peak_rate,
    print_table,
    side_by_side,
    silence_warnings,
)
from common.batches.loader import SeededDL
from common.commands.arguments import add_device_argument, number_at_least
from common.commands.configs import CONFIGS
from common.config.yaml_file import load_config
from common.losses.loss import PerceptualLoss
from common.losses.perceptual import gram_matrix
from common.runtime.command import run_command
from common.runtime.devices import get_device
from common.runtime.memory import keep_freed_memory
from common.training.learner import adamw
from superres.config import Config
from superres.data import get_dls, get_input, get_photos
from superres.measure import measure_photo
from superres.network import get_model

log = logging.getLogger(__name__)

Setup = tuple[int, int, str, int]  # of `Step`: crop, bs, vgg, scale

LR = 1e-3
CONFIG = CONFIGS / "superres_2x.yaml"


LOSSES = {
    "lesson 7": {},
    "no batch norm": {"batch_norm": False},
    "target without graph": {"target_graph": False},
    "our gram": {"gram": gram_matrix},
}


@dataclass(frozen=True)
class Recipe:
    """What a step is made of; the defaults are lesson 7's."""

    network: str = "lesson 7"  # or 'with attention': fastai's; 'before', 'after': ours, upsampling there
    loss: str = "lesson 7"  # or one with a part of ours, see LOSSES; 'ours': cut at relu4_3, with SSIM
    channels_last: bool = False
    fused: bool = False  # torch's AdamW, in place of fastai's own Adam
    keep: bool = False  # freed memory is kept for the next step
    compiled: bool = False  # by torch.compile: network and VGG16
    precision: str = "fp32"


def changes(half: str) -> dict[str, dict[str, Any]]:
    """{what is changed: fields of Recipe}, from lesson 7's to ours."""
    return {
        "our U-Net, at low resolution, with a pixel shuffle at the end": {"network": "after"},
        "our loss: VGG16 without BatchNorm, cut at relu4_3; SSIM": {"loss": "ours"},
        f"{half}: the network and the VGG16": {"precision": half},
        "channels-last": {"channels_last": True},
        "freed memory is kept": {"keep": True},
        "torch's fused AdamW": {"fused": True},
    }


def ours(half: str) -> Recipe:
    """All changes together."""
    return replace(Recipe(), **{field: value for fields in changes(half).values() for field, value in fields.items()})


def parts() -> dict[str, dict[str, Any]]:
    """The same of parts of those, of what we have for other reasons, and of what we left out."""
    return {
        "our U-Net, at full size (fixed statistics, attention, spectral norm)": {"network": "before"},
        "fastai's self-attention added": {"network": "with attention"},
        "VGG16 without BatchNorm": {"loss": "no batch norm"},
        "target features without gradient (they never have one: only chance)": {"loss": "target without graph"},
        "Gram matrices with a gradient in one product": {"loss": "our gram"},
        "torch.compile": {"compiled": True},
    }


class Step:
    """Called, it makes one training step on noise. crop: of the enlarged picture, in pixels; bs: pictures a step."""

    def __init__(self, recipe: Recipe, crop: int, bs: int, vgg: str, scale: int, device: torch.device) -> None:
        torch.manual_seed(0)
        config = load_config(Config, CONFIG, ["model.pretrained=false", f"loss.vgg={vgg}", f"data.scale={scale}"])
        layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
        if recipe.network in ("before", "after"):
            model = get_model(config.model.model_copy(update={"upsample": recipe.network}), scale)
        else:
            model = Lesson7Model(scale, crop, attention=recipe.network == "with attention")
        loss = PerceptualLoss(config.loss) if recipe.loss == "ours" else FeatureLoss(vgg, **LOSSES[recipe.loss])
        self.model, self.loss = model.train().to(device, memory_format=layout), loss.to(device, memory_format=layout)
        parameters = list(self.model.parameters())
        self.optimizer = (adamw if recipe.fused else fastai.optimizer.Adam)(parameters, lr=LR)
        self.optimizer.set_hyper("wd", config.train.wd)
        self.recipe, self.device = recipe, device
        self.batch = [torch.rand(bs, 3, side, side, device=device) for side in (crop // scale, crop)]
        # Not the usual 65,536, so that no step is left out, as those are whose gradients overflow.
        self.scaler = torch.amp.GradScaler(device.type, init_scale=1.0, enabled=recipe.precision == "fp16")
        if recipe.keep:
            keep_freed_memory()
        if recipe.compiled:
            self.model.compile()
            self.loss.vgg.compile()

    def __call__(self) -> None:
        low, sharp = self.batch
        dtype = DTYPES[self.recipe.precision]
        half = nullcontext() if dtype == torch.float32 else torch.autocast(self.device.type, dtype=dtype)
        with half:
            loss = self.loss(self.model(low).float(), sharp)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()


def compare(base: Recipe, recipes: Mapping[str, Recipe], setup: Setup, device: torch.device, rounds: int) -> list[Row]:
    """Rows [name, seconds, times as fast as base, memory in GB] of recipes, each timed side by side with `base`."""
    base_step = Worker(Step, base, *setup, device=device)
    rows: list[Row] = []
    for name, recipe in recipes.items():
        step = Worker(Step, recipe, *setup, device=device)
        try:
            base_time, time = side_by_side([base_step, step], rounds)
        except Exception as error:  # torch.compile fails on fastai's layers in several ways
            if not recipe.compiled:
                raise
            rows.append([name, f"fails: {type(error).__name__}", "", ""])
        else:
            rows.append([name, time, base_time / time, step.peak()])
            log.info("%s: %.3f s, %.2f times as fast", name, time, base_time / time)
        step.close()
    base_step.close()
    return rows


def compare_with_peak(
    recipes: Mapping[str, Recipe], rows: Sequence[Row], setup: Setup, device: torch.device
) -> list[Row]:
    """Rows [name, GFLOP a step, GFLOP/s at best, seconds at least, seconds taken, how many times that is].

    rows: of `compare`, for the seconds taken.
    """
    table: list[Row] = []
    for (name, recipe), (_, time, *_) in zip(recipes.items(), rows, strict=True):
        operations, best = flops(Step(recipe, *setup, device)), peak_rate(device, recipe.precision)
        table.append([name, operations / 1e9, best / 1e9, operations / best, time, time * best / operations])
    return table


def measure_quality(
    recipes: Mapping[str, Recipe], folder: str | None, steps: int, setup: Setup, device: torch.device
) -> list[Row]:
    """Rows [name, PSNR-Y, SSIM-Y] of held-out photos after as many steps of one cycle on the same crops."""
    crop, bs, _, scale = setup
    words = ["model.pretrained=false", "data.valid=0.02", f"data.path={folder or 'null'}", f"data.scale={scale}"]
    config = load_config(Config, CONFIG, words)
    stage = config.train.stages[0].model_copy(update={"crop": crop, "bs": bs})
    train = config.train.model_copy(update={"stages": [stage], "workers": 0})
    config = config.model_copy(update={"train": train})
    photos, models = get_photos(config), {}
    one_cycle = combined_cos(0.25, LR / 25, LR, LR / 1e5)
    for name, recipe in recipes.items():
        batches, step = get_dls(photos, config, stage, device).train, Step(recipe, *setup, device)
        step.scaler = torch.amp.GradScaler(device.type, enabled=recipe.precision == "fp16")  # as in a training
        for done, batch in zip(range(steps), endless(batches), strict=False):
            step.batch = batch
            step.optimizer.set_hyper("lr", one_cycle(done / steps))
            step()
        models[name] = step.model.eval()
        log.info("%s: %d steps done", name, steps)
    figures = pd.DataFrame([measure_photo(path, get_input(config.data), models)[0] for path in photos.held_out]).mean()
    metrics = ("PSNR-Y", "SSIM-Y")
    return [[name, *(f"{figures[f'{name} {metric}']:.4g}" for metric in metrics)] for name in ("bicubic", *recipes)]


def endless(batches: SeededDL) -> Iterator[Any]:
    """Batches of one epoch after the other."""
    for batches.epoch in itertools.count():
        yield from batches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crop", type=number_at_least(32, int), default=128, help="pixels of the enlarged crops [128]")
    parser.add_argument("--bs", type=number_at_least(1, int), default=8, help="crops in a step [8]")
    parser.add_argument("--scale", type=int, choices=[2, 4, 8], default=2)
    parser.add_argument("--rounds", type=number_at_least(1, int), default=5, help="times that each step is timed [5]")
    parser.add_argument("--vgg", default="random", help="VGG16 weights: torchvision, random or a file [random]")
    add_device_argument(parser)
    parser.add_argument(
        "--quality", type=number_at_least(1, int), metavar="STEPS", help="only compare quality after that many steps"
    )
    parser.add_argument("--data", metavar="FOLDER", help="photos for --quality [the sample photos]")
    args = parser.parse_args()
    silence_warnings()
    device = get_device(args.device)
    setup = (args.crop, args.bs, args.vgg, args.scale)
    half = "fp16" if device.type == "cuda" else "bf16"
    print(f"{args.scale}x, {args.bs} crops of {args.crop} px, {describe_machine(device)}\n")
    lesson7, best = Recipe(), ours(half)
    both = {"lesson 7": lesson7, "ours, fp32": ours("fp32"), f"ours, {half}": best}
    if args.quality:
        header = [f"after {args.quality} steps", "PSNR-Y", "SSIM-Y"]
        print_table(header, measure_quality(both, args.data, args.quality, setup, device))
        return
    header = ["s a step", "times as fast", "memory, GB"]
    alone = {name: replace(lesson7, **fields) for name, fields in {**changes(half), **parts()}.items()}
    together = compare(lesson7, both, setup, device, 2 * args.rounds)
    without = {
        f"without: {name}": replace(best, **{field: getattr(lesson7, field) for field in fields})
        for name, fields in changes(half).items()
    }
    without["with torch.compile"] = replace(best, compiled=True)
    print_table(["", *header], together)
    print_table(["lesson 7 with one change", *header], compare(lesson7, alone, setup, device, args.rounds))
    print_table([f"ours, {half}", *header], compare(best, without, setup, device, args.rounds))
    header = ["", "GFLOP a step", "GFLOP/s at best", "s at least", "s", "times the least"]
    print_table(header, compare_with_peak(both, together, setup, device))


if __name__ == "__main__":
    run_command(main)
