"""How cost grows: seconds a step against crop, batch and scale; seconds to start against the number of photos.

python -m benchmarks.cost                    2 minutes on 2 CPU cores
"""

import argparse
import io
import os
import tempfile
import time
from functools import partial
from pathlib import Path

import torch
from PIL import Image

from benchmarks.measure import Row, Worker, describe_machine, print_table, side_by_side, silence_warnings
from benchmarks.train_step import CONFIG, Step, ours
from common.batches.folders import sample_photos
from common.commands.arguments import add_device_argument
from common.config.yaml_file import load_config
from common.runtime.command import run_command
from common.runtime.devices import get_device
from superres.config import Config
from superres.data import get_dls, get_photos

CROPS, SIZES, SCALES, COUNTS = (64, 128, 256), (4, 8, 16), (2, 4, 8), (10, 1_000, 100_000)


def time_steps(device: torch.device, precision: str) -> list[Row]:
    """Rows [crop, bs, scale, seconds a step, crops a second, megapixels a second, memory in GB]."""
    setups = [(crop, 8, 2) for crop in CROPS] + [(128, bs, 2) for bs in SIZES] + [(128, 8, s) for s in SCALES]
    rows: list[Row] = []
    for crop, bs, scale in dict.fromkeys(setups):
        step = Worker(Step, ours(precision), crop, bs, "random", scale, device=device)
        (seconds,), memory = side_by_side([step], 3), step.peak()
        step.close()
        pixels = bs * crop**2 / 1e6
        rows.append([f"{crop} px", str(bs), f"{scale}x", seconds, bs / seconds, pixels / seconds, memory])
        print(".", end="", flush=True)
    print()
    return rows


def time_start(folder: str, device: torch.device) -> tuple[float, float]:
    """(seconds to find and check the photos, seconds to the first batch after that)."""
    words = ["model.pretrained=false", f"data.path={folder}", "train.workers=0", "train.stages.0.bs=8"]
    config = load_config(Config, CONFIG, [*words, "train.stages.2.crop=128", "train.stages.3.crop=128"])
    began = time.perf_counter()
    photos = get_photos(config)
    found = time.perf_counter()
    next(iter(get_dls(photos, config, config.train.stages[0], device).train))
    return found - began, time.perf_counter() - found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_device_argument(parser)
    args = parser.parse_args()
    silence_warnings()
    device = get_device(args.device)
    print(f"superres_2x.yaml, {describe_machine(device)}\n")
    rows = time_steps(device, "fp16" if device.type == "cuda" else "fp32")
    print_table(["crop", "bs", "scale", "s a step", "crops a second", "megapixels a second", "memory, GB"], rows)
    photo, rows = io.BytesIO(), []
    Image.open(sample_photos()[-1]).convert("RGB").resize((200, 200)).save(photo, "JPEG")
    small = photo.getvalue()
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as folder:
            for number in range(count):
                name = Path(folder, f"{number:06}.jpg")
                name.write_bytes(small)
                os.truncate(name, len(small) + number)  # files of one size would be compared; a hole takes no space
            worker = Worker(partial, time_start, folder, device=device)
            (found, batch), memory = worker.answer(), worker.peak(torch.device("cpu"))
            worker.close()
            rows.append([f"{count:,} photos", found, batch, memory])
    print_table(["", "s to find and check them", "s to the first batch", "memory, GB"], rows)


if __name__ == "__main__":
    run_command(main)
