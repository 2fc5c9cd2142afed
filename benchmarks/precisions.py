"""A training step and a photo enlarged in every precision, compiled or not, all in one process: minutes on a GPU.

python -m benchmarks.precisions --crop 256 --bs 16 --sizes 1024 2048 4096
python -m benchmarks.precisions --crop 64 --bs 2 --sizes 256 --no-compile      two minutes on 2 CPU cores
"""

import argparse
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.measure import Row, describe_machine, peak_memory, print_table, seconds, silence_warnings
from benchmarks.train_step import Recipe, Step, ours
from common.commands.arguments import add_device_argument, number_at_least
from common.commands.configs import CONFIGS
from common.config.yaml_file import load_config
from common.inference.ready import ready
from common.inference.tiles import enhance
from common.models.model_file import fold_norms
from common.runtime import accelerator
from common.runtime.command import run_command
from common.runtime.devices import get_device
from superres.config import Config
from superres.network import get_model

NETWORKS = {"U-Net": "superres_2x.yaml", "light": "superres_light_2x.yaml"}
WARM_UP = 2  # calls


def halves(device: torch.device) -> Sequence[str]:
    return ("fp16", "bf16") if device.type == "cuda" else ("bf16",)


def time_calls(work: Callable[[], object], device: torch.device, calls: int) -> tuple[float, float]:
    """(median seconds of a call, GB in use at most) after two calls that are not counted."""
    for _ in range(WARM_UP):
        work()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        with suppress(OSError):  # Linux alone can forget the process's peak
            Path("/proc/self/clear_refs").write_text("5")
    return statistics.median(seconds(work, device) for _ in range(calls)), peak_memory(device)


def time_steps(crop: int, bs: int, device: torch.device, calls: int, compiled: bool) -> Iterator[Row]:
    """Rows [what, milliseconds a step, crops a second, memory in GB] of `superres_2x.yaml`."""
    best = ours("bf16")
    recipes: dict[str, Recipe] = {"lesson 7, fp32": Recipe()}
    recipes |= {f"lesson 7, {half}": Recipe(precision=half) for half in halves(device)}
    recipes |= {f"ours, {precision}": ours(precision) for precision in ("fp32", *halves(device))}
    recipes["ours, bf16, not channels-last"] = replace(best, channels_last=False)
    if compiled:
        recipes["ours, bf16, compiled"] = replace(best, compiled=True)
    for name, recipe in recipes.items():
        step, memory = time_calls(Step(recipe, crop, bs, "random", 2, device), device, calls)
        yield [name, 1000 * step, bs / step, memory]
        accelerator.free_memory()


def time_predictions(sizes: Sequence[int], device: torch.device, calls: int, compiled: bool) -> Iterator[Row]:
    """Rows [network and precision, result, megapixels a second, memory in GB] of photos enlarged 2x."""
    ways = [(precision, False) for precision in ("fp32", *halves(device))] + [(halves(device)[0], True)] * compiled
    for (network, file), size, (precision, is_compiled) in (
        (entry, size, way) for way in ways for entry in NETWORKS.items() for size in sizes
    ):
        model = ready(untrained(file), device, precision)
        if is_compiled:
            model.forward = torch.compile(model.forward)
        noise = np.random.default_rng(0).integers(0, 256, (size // 2, size // 2, 3), dtype=np.uint8)
        time, memory = time_calls(lambda model=model, noise=noise: enhance(model, noise, 2), device, calls)
        name = f"{network}, {precision}{', compiled' * is_compiled}"
        yield [name, f"{size} x {size}", size**2 / 1e6 / time, memory]
        accelerator.free_memory()


def untrained(file: str) -> nn.Module:
    """An untrained network of a shipped config."""
    words = ["model.pretrained=false"] if "light" not in file else []
    return fold_norms(get_model(load_config(Config, CONFIGS / file, words).model, 2))  # as its file would have it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crop", type=number_at_least(32, int), default=128, help="pixels of the enlarged crops [128]")
    parser.add_argument("--bs", type=number_at_least(1, int), default=8, help="crops in a step [8]")
    parser.add_argument("--sizes", type=number_at_least(64, int), nargs="+", default=[512, 2048], metavar="PIXELS")
    parser.add_argument("--calls", type=number_at_least(1, int), default=5, help="of each, of which the median [5]")
    parser.add_argument("--no-compile", action="store_true", help="without what torch compiles, which takes minutes")
    add_device_argument(parser)
    args = parser.parse_args()
    silence_warnings()
    device, compiled = get_device(args.device), not args.no_compile
    accelerator.prepare_for_training()
    print(f"2x, {args.bs} crops of {args.crop} px, {describe_machine(device)}\n")
    header = ["a step", "ms", "crops a second", "memory, GB"]
    print_table(header, time_steps(args.crop, args.bs, device, args.calls, compiled))
    header = ["a photo enlarged", "result", "megapixels a second", "memory, GB"]
    print_table(header, time_predictions(args.sizes, device, args.calls, compiled))


if __name__ == "__main__":
    run_command(main)
