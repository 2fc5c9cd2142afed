"""How much hints help a colouriser: the error of a* and b* with more and more true colours told, of photos held out.

At random places, and where a person would put them: each in the middle of the largest error that is left. And how much
another photo's palette helps: the left half's, for the right half.

python -m benchmarks.hints runs/RUN/model.safetensors --data ~/held_out
"""

import argparse
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import mean
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.measure import describe_machine, print_table
from colorize.bins import Classes
from colorize.files import load_model
from colorize.lab import get_ab
from colorize.metrics import ab_error
from colorize.network import Colorizer
from colorize.photo import shrink_to_grey
from colorize.spread import Place, colors_at, spread
from common.batches.folders import find_photos
from common.commands.arguments import add_device_argument, model_path, user_path
from common.photos.flat import open_photo
from common.photos.pixels import to_tensor
from common.runtime.command import run_command
from common.runtime.devices import get_device

NUMBERS = (0, 1, 3, 10, 30)
SIDE = 3  # pixels of a hint
AREA = 15  # pixels a side over which errors are averaged to find where one would click


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=model_path, help="model file or run folder")
    parser.add_argument("--data", type=user_path, required=True, help="folder of colour photos")
    add_device_argument(parser)
    args = parser.parse_args()
    device = get_device(args.device)
    model = load_model(args.model).to(device)
    print(describe_machine(device))
    errors: dict[str, list[list[float]]] = {"at random": [], "at the largest error": []}
    grey, halves = list[float](), list[tuple[float, float]]()
    for number, path in enumerate(find_photos(args.data)):
        small, true = read(path, model.size)
        grey.append(ab_error(small, true).item())
        rng = random.Random(number)
        where = {"at random": partial(anywhere, rng=rng), "at the largest error": at_largest_error}
        for name, choose in where.items():
            errors[name].append(measure(model, small.to(device), true.to(device), choose))
        if model.centres is not None:
            halves.append(measure_palette(model, small.to(device), true.to(device)))
    print(f"{len(grey)} photos, {model.size} px a short side; grey {mean(grey):.2f}")
    rows = [[name, *map(mean, zip(*of_photos, strict=True))] for name, of_photos in errors.items()]
    print_table(["hints", *map(str, NUMBERS)], rows)
    if halves:
        alone, told = map(mean, zip(*halves, strict=True))
        print(f"right half: {alone:.2f}; with the palette of the left: {told:.2f}")


def read(path: Path, size: int) -> tuple[Tensor, Tensor]:
    """(grey, true) of the copy on which colours are found, (1, 3, h, w)."""
    photo = open_photo(path)
    small = to_tensor(shrink_to_grey(np.asarray(photo), size))
    true = to_tensor(photo.resize((small.shape[-1], small.shape[-2]), reducing_gap=2))
    return small, true


Choose = Callable[[Tensor, Tensor], tuple[int, int]]


@torch.inference_mode()
def measure(model: Colorizer, small: Tensor, true: Tensor, choose: Choose) -> list[float]:
    """The error with each of NUMBERS of hints, put one after the other."""
    places, found = list[Place](), list[float]()
    untold, seen = model(small), model.unet.at_eighth(small)
    for n in range(NUMBERS[-1] + 1):
        result = spread(untold, seen, places)
        if n in NUMBERS:
            found.append(ab_error(result, true).item())
        row, column = choose(result, true)
        places.append(Place(row, column, colors_at(true, row, column, SIDE)))
    return found


@torch.inference_mode()
def measure_palette(model: Colorizer, small: Tensor, true: Tensor) -> tuple[float, float]:
    """The error of the right half without and with the palette of the left."""
    half = true.shape[-1] // 2
    centres = cast(Tensor, model.centres).float().cpu()
    alone = model(small)
    model.palette = Classes(centres, torch.ones(len(centres))).parts(get_ab(true[..., :half]).cpu())
    told, model.palette = model(small), None
    without, with_it = (ab_error(result[..., half:], true[..., half:]).item() for result in (alone, told))
    return without, with_it


def anywhere(_: Tensor, true: Tensor, rng: random.Random) -> tuple[int, int]:
    return rng.randrange(true.shape[-2]), rng.randrange(true.shape[-1])


def at_largest_error(result: Tensor, true: Tensor) -> tuple[int, int]:
    """(row, column) of the middle of the square whose colours are furthest off."""
    error = (get_ab(result) - get_ab(true)).abs().mean(dim=1, keepdim=True)
    around = F.avg_pool2d(error, AREA, stride=1, padding=AREA // 2, count_include_pad=False)[0, 0]
    return divmod(int(around.argmax()), around.shape[-1])


if __name__ == "__main__":
    run_command(main)
