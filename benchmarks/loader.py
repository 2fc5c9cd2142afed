"""From JPEG files to batches on the device: can the loader keep up with the training?

python -m benchmarks.loader                         sample photos; a minute and a half on 2 CPU cores
python -m benchmarks.loader --data ~/photos --workers 0 8
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import cast

import numpy as np
import torch
from PIL import Image
from torchvision.io import ImageReadMode, decode_image, read_file

from benchmarks.measure import Row, Worker, describe_machine, print_table, side_by_side, silence_warnings
from benchmarks.train_step import CONFIG, Step, ours
from common.batches.folders import PhotoSplit, find_photos, sample_photos
from common.commands.arguments import add_device_argument, number_at_least
from common.config.yaml_file import load_config
from common.photos.flat import open_photo, open_shrunk_photo
from common.runtime.command import run_command
from common.runtime.devices import get_device
from superres.config import Config
from superres.data import get_dls, get_photos

CPU = torch.device("cpu")


def rate(work: Callable[[Path], object], paths: Sequence[Path], least: float = 2.0) -> float:
    """Files a second of work(path), over `least` seconds or more."""
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < least:
        for path in paths:
            work(path)
        done += len(paths)
    return done / (time.perf_counter() - began)


def time_decoders(photos: Mapping[str, Sequence[Path]], crop: int) -> list[Row]:
    """Rows [what, photos a second in one process] of ways to open photos."""
    ways: dict[str, Callable[[Path], object]] = {
        "Pillow, whole (superres)": open_photo,
        "torchvision, whole": lambda path: decode_image(read_file(str(path)), mode=ImageReadMode.RGB),
        f"Pillow, whole, then shrunk for crops of {crop} px": lambda path: shrink(open_photo(path), crop),
        "Pillow, decoded smaller, then shrunk (colorize, styletransfer)": partial(
            open_shrunk_photo, crop=crop, min_scale=0.5
        ),
    }
    return [[name, *(rate(work, paths) for paths in photos.values())] for name, work in ways.items()]


def shrink(photo: Image.Image, crop: int) -> Image.Image:
    part = crop / 0.5**0.5 / min(photo.size)
    return photo.resize((round(part * photo.width), round(part * photo.height)), reducing_gap=2)


def time_loader(photos: PhotoSplit, config: Config, workers: int, device: torch.device, n_batches: int) -> float:
    """Crops a second that arrive on the device as pairs of low resolution and sharp, after the first batches."""
    train = config.train.model_copy(update={"workers": workers})
    batches = iter(get_dls(photos, config.model_copy(update={"train": train}), train.stages[0], device).train)
    for _ in range(max(2, 2 * workers)):
        next(batches)
    began, crops = time.perf_counter(), 0
    for _low, sharp in islice(batches, n_batches):
        crops += len(sharp)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return crops / (time.perf_counter() - began)


def make_large_photos(folder: Path, n: int = 12) -> list[Path]:
    """JPEG files of 12 megapixels, of a sample photo and some noise."""
    photo = Image.open(sample_photos()[0]).convert("RGB").resize((4000, 3000))
    pixels = np.asarray(photo, dtype=np.int16)
    for number in range(n):
        noise = np.random.default_rng(number).normal(0, 4, pixels.shape)
        Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8)).save(folder / f"{number:02}.jpg", quality=92)
    return find_photos(folder)


def time_epochs(folder: Path, crop: int) -> list[Row]:
    """Rows [how photos are opened, crops a second of one process], of 16 crops of each photo of a folder."""
    stage = f"train.stages=[{{crop: {crop}, bs: 8, epochs: 1, lr: 1e-3}}]"
    words = [f"data.path={folder}", "data.crops_per_photo=16", "data.valid=[00.jpg]", "train.workers=0", stage]
    config = load_config(Config, None, ["loss.l1=1", "model={network: srcnn}", *words])
    photos = get_photos(config)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as cache:
        ways = [("decoded for each crop", "none"), ("kept, first epoch", cache), ("kept, second epoch", cache)]
        for name, kept in ways:
            data = config.data.model_copy(update={"cache": Path(kept) if kept == cache else kept})
            began = time.perf_counter()  # some photos are decoded by `get_dls`, to see how much they take
            train = get_dls(photos, config.model_copy(update={"data": data}), config.train.stages[0], CPU).train
            crops = sum(len(train.do_batch([train.do_item(i) for i in part])[0]) for part in parts(train.get_idxs(), 8))
            rate = crops / (time.perf_counter() - began)
            rows.append([name, rate, rate / cast(float, rows[0][1]) if rows else 1.0])
    return rows


def parts(items: Sequence[int], size: int) -> list[Sequence[int]]:
    return [items[i : i + size] for i in range(0, len(items), size)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", metavar="FOLDER", help="photos [the sample photos]")
    parser.add_argument("--crop", type=number_at_least(32, int), default=128, help="pixels [128]")
    parser.add_argument("--bs", type=number_at_least(1, int), default=32, help="crops in a step [32]")
    parser.add_argument("--workers", type=number_at_least(0, int), nargs="+", default=[0, 1, 2, 8], help="[0 1 2 8]")
    parser.add_argument("--short", action="store_true", help="only whether the loader keeps up with a step")
    add_device_argument(parser)
    args = parser.parse_args()
    silence_warnings()
    device = get_device(args.device)
    print(f"{describe_machine(device)}\n")
    if not args.short:
        show_decoders(args.data, args.crop)
    show_loader(args, device)


def show_decoders(data: str | None, crop: int) -> None:
    """Prints how fast photos are opened, and what is gained where they are kept decoded."""
    with tempfile.TemporaryDirectory() as folder:
        given = find_photos(data) if data else sample_photos()
        jpegs = [path for path in given if path.suffix.lower() in (".jpg", ".jpeg")][:50]
        photos = {"photos of the folder": jpegs} if jpegs else {}
        photos["of 12 megapixels"] = make_large_photos(Path(folder))
        print_table(["photos a second, one process", *photos], time_decoders(photos, crop))
        rows = time_epochs(Path(folder), crop)
        print_table([f"crops of {crop} px, 16 a photo of 12 megapixels", "a second", "times the first"], rows)


def show_loader(args: argparse.Namespace, device: torch.device) -> None:
    """Prints how many crops come out of the loader, and how many a step takes."""
    n_batches = 30 + 4 * max(args.workers)  # many more than the workers have ready when the clock starts
    words = ["model.pretrained=false", f"data.path={args.data or 'null'}"]
    config = load_config(Config, CONFIG, words)
    stage = config.train.stages[0].model_copy(update={"crop": args.crop, "bs": args.bs})
    config = config.model_copy(update={"train": config.train.model_copy(update={"stages": [stage]})})
    found = get_photos(config)
    per_photo = -(-2 * n_batches * args.bs // len(found.train))
    config = config.model_copy(update={"data": config.data.model_copy(update={"crops_per_photo": per_photo})})
    recipe = ours("fp16" if device.type == "cuda" else "fp32")
    step = Worker(Step, recipe, args.crop, args.bs, "random", config.data.scale, device=device)
    (seconds,) = side_by_side([step], 3)
    step.close()
    need = args.bs / seconds
    rows: list[Row] = []
    for workers in args.workers:
        crops = time_loader(found, config, workers, device, n_batches)
        rows.append([f"{workers} workers", crops, crops / need])
    print_table([f"crops of {args.crop} px", "a second", f"times what a step uses ({need:.3g} a second)"], rows)
    print("Pixels travel to the device in 8 bits; floats and the low resolution are made there.")


if __name__ == "__main__":
    run_command(main)
