"""One training step: lesson 7's recipe, each of our changes alone, all of them together, and all but one.

python -m benchmarks.train_step                                        2x, 128 px crops; 20 minutes on 2 CPU cores
python -m benchmarks.train_step --quality 300 --data ~/photos          and what both have learned after 300 equal steps
"""

import argparse
import ctypes
import itertools
import logging
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import fastai.optimizer
import pandas as pd
import torch
from fastai.callback.schedule import combined_cos

from benchmarks.lesson7 import FeatureLoss, Lesson7Model
from benchmarks.measure import DTYPES, flops, in_a_process, machine, peak_rate, quiet, show, side_by_side
from common.arguments import at_least
from common.command import run_command
from common.configfile import load_config
from common.inference import get_device
from common.losses import PerceptualLoss, gram_matrix
from common.memory import M_MMAP_MAX, M_TRIM_THRESHOLD, keep_freed_memory
from common.training import adamw
from superres.config import Config
from superres.data import get_degrade, get_dls, get_photos
from superres.evaluate import measure
from superres.model import get_model

log = logging.getLogger(__name__)

M_MMAP_THRESHOLD = -3  # of glibc's malloc.h
LR = 1e-3
CONFIG = Path(__file__).parent.parent / "configs" / "superres_2x.yaml"


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


def ours(half):
    return Recipe("after", "ours", channels_last=True, fused=True, keep=True, precision=half)


def changes(half):
    """{what is changed: fields of Recipe}, from lesson 7's to ours."""
    return {
        "U-Net at low resolution, pixel shuffle at the end": {"network": "after"},
        "VGG16 cut at relu4_3, the deepest layer of our loss": {"loss": "ours"},
        f"{half}: the network and the VGG16": {"precision": half},
        "channels-last": {"channels_last": True},
        "freed memory is kept": {"keep": True},
        "torch's fused AdamW": {"fused": True},
    }


def parts():
    """The same of parts of those, of what we have for other reasons, and of what we left out."""
    return {
        "our U-Net at full size (fixed statistics, attention, spectral norm)": {"network": "before"},
        "fastai's self-attention added": {"network": "with attention"},
        "VGG16 without BatchNorm": {"loss": "no batch norm"},
        "target features without gradient": {"loss": "target without graph"},
        "Gram matrices with a gradient in one product": {"loss": "our gram"},
        "torch.compile": {"compiled": True},
    }


class Step:
    """Called, it makes one training step on noise. crop: of the enlarged picture, in pixels; bs: pictures a step."""

    def __init__(self, recipe, crop, bs, device, vgg, scale=2):
        torch.manual_seed(0)
        config = load_config(Config, CONFIG, ["model.pretrained=false", f"loss.vgg={vgg}", f"data.scale={scale}"])
        layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
        if recipe.network in ("before", "after"):
            model = get_model(config.model.model_copy(update={"upsample": recipe.network}), scale)
        else:
            model = Lesson7Model(scale, crop, attention=recipe.network == "with attention")
        if recipe.loss == "ours":
            loss = PerceptualLoss(config.loss)
        else:
            loss = FeatureLoss(vgg, **LOSSES[recipe.loss])
        self.model, self.loss = model.to(device, memory_format=layout), loss.to(device, memory_format=layout)
        parameters = list(self.model.parameters())
        self.optimizer = (adamw if recipe.fused else fastai.optimizer.Adam)(parameters, lr=LR)
        self.optimizer.set_hyper("wd", config.train.wd)
        self.recipe, self.device = recipe, device
        self.batch = [torch.rand(bs, 3, side, side, device=device) for side in (crop // scale, crop)]
        self.scaler = torch.amp.GradScaler(device.type, enabled=recipe.precision == "fp16")
        if recipe.compiled:
            self.model.compile()
            self.loss.vgg.compile()

    def __call__(self):
        low, sharp = self.batch
        dtype = DTYPES[self.recipe.precision]
        (keep_freed_memory if self.recipe.keep else give_back_freed_memory)()
        half = nullcontext() if dtype == torch.float32 else torch.autocast(self.device.type, dtype=dtype)
        with half:
            loss = self.loss(self.model(low).float(), sharp)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()


def give_back_freed_memory():
    """What glibc comes to by itself once it freed blocks of 32 MiB, for a step after one with `keep_freed_memory`."""
    libc = ctypes.CDLL(None)
    for parameter, value in ((M_MMAP_MAX, 65536), (M_MMAP_THRESHOLD, 32 * 2**20), (M_TRIM_THRESHOLD, 64 * 2**20)):
        libc.mallopt(parameter, value)


def three_steps(*arguments):
    step = Step(*arguments)
    for _ in range(3):
        step()


def compare(base, recipes, setup, rounds):
    """Rows [name, seconds, times as fast as base, memory in GB] of recipes, each timed side by side with `base`."""
    base_step, rows = Step(base, *setup), []
    for name, recipe in recipes.items():
        try:
            step = Step(recipe, *setup)
            base_time, time = side_by_side([base_step, step], rounds, step.device)
        except Exception as error:  # torch.compile fails on fastai's layers in several ways
            if not recipe.compiled:
                raise
            rows.append([name, f"fails: {type(error).__name__}", "", ""])
            continue
        del step
        _, memory = in_a_process(three_steps, recipe, *setup)
        rows.append([name, time, base_time / time, memory])
        log.info("%s: %.3f s, %.2f times as fast", name, time, base_time / time)
    return rows


def floor(recipes, setup):
    """Rows [name, GFLOP a step, GFLOP/s at best, seconds at least, seconds taken, how many times that is]."""
    rows = []
    for name, recipe in recipes.items():
        step = Step(recipe, *setup)
        operations, best = flops(step), peak_rate(step.device, recipe.precision)
        (time,) = side_by_side([step], 5, step.device)
        rows.append([name, operations / 1e9, best / 1e9, operations / best, time, time * best / operations])
    return rows


def quality(recipes, folder, steps, setup):
    """Rows [name, PSNR-Y, SSIM-Y] of held-out photos after as many steps of one cycle on the same crops."""
    crop, bs, device, *_ = setup
    words = ["model.pretrained=false", "data.valid=0.02", f"data.path={folder or 'null'}"]
    config = load_config(Config, CONFIG, words)
    stage = config.train.stages[0].model_copy(update={"crop": crop, "bs": bs})
    train = config.train.model_copy(update={"stages": [stage], "workers": 0})
    config = config.model_copy(update={"train": train})
    photos, models = get_photos(config), {}
    one_cycle = combined_cos(0.25, LR / 25, LR, LR / 1e5)
    for name, recipe in recipes.items():
        batches, step = get_dls(photos, config, stage, device).train, Step(recipe, *setup)
        for done, batch in zip(range(steps), endless(batches), strict=False):
            step.batch = batch
            step.optimizer.set_hyper("lr", one_cycle(done / steps))
            step()
        models[name] = step.model.eval()
        log.info("%s: %d steps done", name, steps)
    figures = pd.DataFrame([measure(path, get_degrade(config.data), models)[0] for path in photos[1]]).mean()
    metrics = ("PSNR-Y", "SSIM-Y")
    return [[name, *(f"{figures[f'{name} {metric}']:.4g}" for metric in metrics)] for name in ("bicubic", *recipes)]


def endless(batches):
    """Epoch after epoch of a `common.loader.SeededDL`."""
    for batches.epoch in itertools.count():
        yield from batches


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crop", type=at_least(32, int), default=128, help="pixels of the enlarged crops [128]")
    parser.add_argument("--bs", type=at_least(1, int), default=8, help="crops in a step [8]")
    parser.add_argument("--scale", type=int, choices=[2, 4, 8], default=2)
    parser.add_argument("--rounds", type=at_least(1, int), default=3, help="times that each step is timed [3]")
    parser.add_argument("--vgg", default="random", help="VGG16 weights: torchvision, random or a file [random]")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--quality", type=at_least(1, int), metavar="STEPS", help="train that long, and nothing else")
    parser.add_argument("--data", metavar="FOLDER", help="photos for --quality [the sample photos]")
    args = parser.parse_args()
    quiet()
    device = get_device(args.device)
    setup = (args.crop, args.bs, device, args.vgg, args.scale)
    half = "fp16" if device.type == "cuda" else "bf16"
    print(f"{args.scale}x, {args.bs} crops of {args.crop} px, {machine(device)}\n")
    lesson7, best = Recipe(), ours(half)
    both = {"lesson 7": lesson7, "ours, fp32": ours("fp32"), f"ours, {half}": best}
    if args.quality:
        show([f"after {args.quality} steps", "PSNR-Y", "SSIM-Y"], quality(both, args.data, args.quality, setup))
        return
    header = ["s a step", "times as fast", "memory, GB"]
    alone = {name: replace(lesson7, **fields) for name, fields in {**changes(half), **parts()}.items()}
    rows = compare(lesson7, both, setup, 3 * args.rounds) + compare(lesson7, alone, setup, args.rounds)
    without = {
        f"without: {name}": replace(best, **{field: getattr(lesson7, field) for field in fields})
        for name, fields in changes(half).items()
    }
    without["with torch.compile"] = replace(best, compiled=True)
    show(["lesson 7 with one change", *header], rows)
    show([f"ours, {half}", *header], compare(best, without, setup, args.rounds))
    show(["", "GFLOP a step", "GFLOP/s at best", "s at least", "s", "times the least"], floor(both, setup))


if __name__ == "__main__":
    run_command(main)
