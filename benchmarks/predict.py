"""Enlarging photos: megapixels of the result a second, and memory, against lesson 7's way.

python -m benchmarks.predict                    6 minutes on 2 CPU cores; an untrained model like superres_2x.yaml's
python -m benchmarks.predict --sizes 512 1024 --tile 512
"""

import argparse
import statistics
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from benchmarks.lesson7 import Lesson7Model
from benchmarks.measure import Row, Work, Worker, describe_machine, free_memory, print_table, silence_warnings
from common.cli.arguments import add_device_argument, number_at_least
from common.cli.configs import CONFIGS
from common.config.yaml_file import load_config
from common.data.pixels import to_pixels, to_tensor
from common.inference.tile_layout import TILE
from common.inference.tiles import enhance
from common.runtime.command import run_command
from common.runtime.devices import get_device
from common.runtime.memory import keep_freed_memory
from superres.config import Config
from superres.model import SuperResolver, get_model

CONFIG = CONFIGS / "superres_2x.yaml"
SCALE = 2


def our_model() -> SuperResolver:
    """An untrained model of `superres_2x.yaml`."""
    return get_model(load_config(Config, CONFIG, ["model.pretrained=false"]).model, SCALE)


def lesson7(photo: np.ndarray, _tile: int, device: torch.device) -> Work:
    """Enlarged first, then the U-Net at full size, in one piece."""
    return in_one_piece(Lesson7Model(SCALE, crop=128), photo, device)


def lesson7_attention(photo: np.ndarray, _tile: int, device: torch.device) -> Work:
    """The same with fastai's self-attention, as our model has ours."""
    return in_one_piece(Lesson7Model(SCALE, crop=128, attention=True), photo, device)


def ours_in_one_piece(photo: np.ndarray, _tile: int, device: torch.device) -> Work:
    return in_one_piece(our_model(), photo, device)


def ours_in_tiles(photo: np.ndarray, tile: int, device: torch.device) -> Work:
    """As `superres.predict` does it."""
    keep_freed_memory()
    model = our_model().eval().to(device)
    return lambda: enhance(model, photo, SCALE, tile)


def in_one_piece(model: nn.Module, photo: np.ndarray, device: torch.device) -> Work:
    """A function that enlarges the photo, (H, W, 3) uint8, without tiles."""
    model = model.eval().to(device)

    @torch.inference_mode()
    def work() -> np.ndarray:
        return to_pixels(model(to_tensor(photo).to(device)))

    return work


METHODS: dict[str, Callable[[np.ndarray, int, torch.device], Work]] = {  # (photo, tile, device) -> work
    "lesson 7": lesson7,
    "lesson 7 with fastai's attention": lesson7_attention,
    "ours in one piece": ours_in_one_piece,
    "ours in tiles": ours_in_tiles,
}


def get_work(method: str, size: int, tile: int, device: torch.device) -> Work:
    """A function that makes a result of size x size pixels, after one small result to warm up."""
    noise = np.random.default_rng(0).integers(0, 256, (size // SCALE, size // SCALE, 3), dtype=np.uint8)
    METHODS[method](noise[:64, :64], tile, device)()
    return METHODS[method](noise, tile, device)


def median(times: Sequence[float | None]) -> float | None:
    """None if one of the times is None."""
    measured = [time for time in times if time is not None]
    return statistics.median(measured) if len(measured) == len(times) else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sizes", type=number_at_least(64, int), nargs="+", default=[512, 1024, 4096], metavar="PIXELS"
    )
    parser.add_argument("--tile", type=number_at_least(192, int), default=TILE)
    add_device_argument(parser)
    args = parser.parse_args()
    silence_warnings()
    device = get_device(args.device)
    print(f"{SCALE}x, {describe_machine(device)}\n")
    limit = 0.9 * free_memory() if device.type == "cpu" else None
    rows: list[Row] = []
    for size in args.sizes:
        workers = [Worker(get_work, method, size, args.tile, device=device, limit=limit) for method in METHODS]
        rounds = 3 if size <= TILE else 1
        times = [[worker.seconds() for worker in workers] for _ in range(rounds)]
        first_time = median([row[0] for row in times])
        for method, worker, *method_times in zip(METHODS, workers, *times, strict=True):
            time = median(method_times)
            speed = size**2 / 1e6 / time if time else None
            ratio = first_time / time if time and first_time else ""
            rows.append([method, f"{size} x {size}", speed, ratio, worker.peak()])
            worker.close()
        print(".", end="", flush=True)
    print()
    print_table(["", "result", "megapixels a second", "times as fast", "memory, GB"], rows)


if __name__ == "__main__":
    run_command(main)
