"""Enlarging photos: megapixels of the result a second, and memory, against lesson 7's way.

python -m benchmarks.predict                    6 minutes on 2 CPU cores; a model like superres_2x.yaml's, not trained
python -m benchmarks.predict --sizes 512 1024 --tile 512
"""

import argparse
import statistics
from pathlib import Path

import numpy as np
import torch

from benchmarks.lesson7 import Lesson7Model
from benchmarks.measure import Worker, free_memory, machine, quiet, show
from common.cli import number_at_least
from common.config.yaml_file import load_config
from common.data.pixels import to_pixels, to_tensor
from common.inference.tile_layout import TILE
from common.inference.tiles import enhance
from common.runtime.command import run_command
from common.runtime.devices import get_device
from common.runtime.memory import keep_freed_memory
from superres.config import Config
from superres.model import get_model

CONFIG = Path(__file__).parent.parent / "configs" / "superres_2x.yaml"
SCALE = 2


def our_model():
    return get_model(load_config(Config, CONFIG, ["model.pretrained=false"]).model, SCALE)


def lesson7(photo, _tile, device):
    """Enlarged first, the U-Net at full size, in one piece."""
    return whole(Lesson7Model(SCALE, crop=128).eval().to(device), photo, device)


def lesson7_attention(photo, _tile, device):
    """The same with fastai's self-attention, as our model has ours."""
    return whole(Lesson7Model(SCALE, crop=128, attention=True).eval().to(device), photo, device)


def ours_whole(photo, _tile, device):
    return whole(our_model().eval().to(device), photo, device)


def ours(photo, tile, device):
    """As `superres.predict` does it."""
    keep_freed_memory()
    model = our_model().eval().to(device)
    return lambda: enhance(model, photo, SCALE, tile)


def whole(model, photo, device):
    @torch.inference_mode()
    def work():
        return to_pixels(model(to_tensor(photo).to(device)))

    return work


WAYS = {
    "lesson 7": lesson7,
    "lesson 7 with fastai's attention": lesson7_attention,
    "ours in one piece": ours_whole,
    "ours in tiles": ours,
}


def get_work(way, size, tile, device):
    """A function that makes a result of size x size pixels; the model has made a small one before."""
    noise = np.random.default_rng(0).integers(0, 256, (size // SCALE, size // SCALE, 3), dtype=np.uint8)
    WAYS[way](noise[:64, :64], tile, device)()
    return WAYS[way](noise, tile, device)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sizes", type=number_at_least(64, int), nargs="+", default=[512, 1024, 4096], metavar="PIXELS"
    )
    parser.add_argument("--tile", type=number_at_least(192, int), default=TILE)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    quiet()
    device = get_device(args.device)
    print(f"{SCALE}x, {machine(device)}\n")
    limit = 0.9 * free_memory() if device.type == "cpu" else None
    rows = []
    for size in args.sizes:
        workers = [Worker(get_work, way, size, args.tile, device=device, limit=limit) for way in WAYS]
        rounds = 3 if size <= TILE else 1
        times = [[worker.seconds() for worker in workers] for _ in range(rounds)]
        for way, worker, *measured in zip(WAYS, workers, *times, strict=True):
            time, first = (
                statistics.median(t) if None not in t else None for t in (measured, [row[0] for row in times])
            )
            speed, ratio = (time and size**2 / 1e6 / time), (first / time if time and first else "")
            rows.append([way, f"{size} x {size}", speed, ratio, worker.peak()])
            worker.close()
        print(".", end="", flush=True)
    print()
    show(["", "result", "megapixels a second", "times as fast", "memory, GB"], rows)


if __name__ == "__main__":
    run_command(main)
