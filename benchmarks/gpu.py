"""All that only a GPU can show, in the minutes that one is at hand: each part a process, results after each part.

python -m benchmarks.gpu --data ~/photos2k --photos ~/photos --vgg vgg16.safetensors --style starry_night.jpg \
    --test Set5 Set14 -o out --minutes 8
python -m benchmarks.gpu --data ~/photos --vgg random -o out --minutes 3 --device cpu      a try without one

OUT gets gpu.json and gpu.md (what was run, for how long, its tables), more.tar (logs, sheets as JPEG), and
models.tar.00 and so on: the models in float16, the smallest first, in parts of 14 MiB. The runs stay beside OUT.
"""

import argparse
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from PIL import Image

from benchmarks.measure import describe_machine
from common.commands.arguments import number_at_least, user_path
from common.commands.configs import CONFIGS
from common.config.losses import NO_FILES
from common.models.card import read_card
from common.models.share import share
from common.runtime.command import run_command
from common.runtime.devices import get_device
from common.runtime.files import write_json

ROOT = Path(__file__).parent.parent
PART_BYTES = 14 * 2**20
JOIN = "cat models.tar.?? | tar -x"  # also of the first parts alone, as far as they go
LEAST_SECONDS = 5  # for which it is worth starting a part
START = 25  # seconds of a training's time that are for its start and for measuring
STAGES = {  # crop and bs; few epochs, since a training of minutes has few steps
    "superres": "{crop: 192, bs: 16, epochs: 3, lr: 1e-3}",
    "colorize": "{crop: 128, bs: 32, epochs: 3, lr: 1e-3}",
    "styletransfer": "{crop: 256, bs: 4, epochs: 2, lr: 1e-3}",
}
ON_A_CPU = "{crop: 64, bs: 2, epochs: 1, lr: 1e-3}"


class Part(NamedTuple):
    """A command, its share of the time, which goes to the others if it needs less, and the folder of the run that it
    makes, if it is a training: that gets `train.minutes`."""

    name: str
    command: Sequence[str]
    share: float
    run: Path | None = None


def plan_parts(args: argparse.Namespace, runs: Path) -> Iterator[Part]:
    """The parts, in the order in which they are run."""
    small = args.device == "cpu"
    device = ["--device", args.device]
    if not small:
        yield Part("tests", ["pytest", "-m", "gpu", "-q", "-n", "0", "--no-header", str(ROOT / "tests")], 1)
    sizes = ["--crop", "64", "--bs", "2", "--sizes", "256", "--calls", "1", "--no-compile"] if small else [
        "--crop", "256", "--bs", "16", "--sizes", "1024", "2048", "4096",
    ]  # fmt: skip
    yield Part("steps and photos in every precision", ["benchmarks.precisions", *sizes, *device], 2)
    loader = ["--crop", "64", "--bs", "4", "--workers", "0"] if small else ["--workers", "0", "8"]
    yield Part("loader", ["benchmarks.loader", "--short", "--data", str(args.data), *loader, *device], 1)
    for name, task, words in trainings(args, runs):
        where = [f"output.path={runs}", f"output.name={name}", f"train.device={args.device}"]
        stages = f"train.stages=[{ON_A_CPU if small else STAGES[task]}]"
        command = [f"{task}.train", *words, stages, f"train.measure={1 if small else 20}", *where]
        yield Part(f"train {name}", command, 2, runs / name)
    for scale in (2, 4):
        for folder in args.test:
            run = runs / f"superres_{scale}x"
            command = ["superres.evaluate", str(run), "--data", str(folder), *device]
            yield Part(f"{run.name} on {folder.name}", [*command, "-o", str(run / folder.name)], 0.7)


def trainings(args: argparse.Namespace, runs: Path) -> Iterator[tuple[str, str, list[str]]]:
    """(name, task, words after `python -m TASK.train`)."""
    everyday = f"data.path={args.photos or args.data}"
    common, vgg = ["data.valid=0.05"], f"loss.vgg={args.vgg}"
    scratch = ["model.pretrained=false", *(["model.encoder=resnet18"] if args.device == "cpu" else [])]
    sharp = [f"data.path={args.data}", "data.crops_per_photo=16", vgg, *common, *scratch]
    yield "superres_2x", "superres", [str(CONFIGS / "superres_2x.yaml"), *sharp]
    start = f"train.start_from={runs / 'superres_2x/model.safetensors'}"
    yield "superres_4x", "superres", [str(CONFIGS / "superres_4x.yaml"), *sharp, start]
    known = ["model.pretrained=false"] if args.vgg in NO_FILES else []  # else the encoder is that very VGG16
    yield "colorize", "colorize", [str(CONFIGS / "colorize.yaml"), everyday, vgg, *common, *known]
    style = [f"style.image={args.style}"] if args.style else []
    config = str(CONFIGS / "styletransfer_johnson.yaml")
    yield "styletransfer_johnson", "styletransfer", [config, everyday, vgg, *common, *style]


def call(words: Sequence[str], seconds: float, log: Path) -> int | None:
    """The status with which `python -m words...` ended, which printed into `log`; None if it was stopped by then."""
    with log.open("w") as file:
        command = [sys.executable, "-m", *words]
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            return process.wait(seconds)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)  # with its loading processes
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                return None
            raise


def run_part(part: Part, seconds: float, log: Path) -> dict[str, Any]:
    """Runs a part, with what it prints in `log`; {name, command, seconds, status, tables, printed, figures}."""
    minutes = [f"train.minutes={max(1, seconds - START) / 60:.3g}"] if part.run else []
    words, began = [*part.command, *minutes], time.monotonic()
    code = call(words, seconds, log)
    printed = log.read_text(errors="replace").splitlines()
    return {
        "name": part.name,
        "command": " ".join(["python", "-m", *words]),
        "seconds": round(time.monotonic() - began, 1),
        "status": "out of time" if code is None else f"ended with {code}" if code else "done",
        "tables": [line for line in printed if line.startswith("|")],
        "printed": printed[-12:],
        "figures": read_figures(part.run) if part.run else {},
    }


def read_figures(run: Path) -> dict[str, Any]:
    """What a run's folder says of it: precision, epochs, the last row of its history, averages of held-out photos."""
    figures: dict[str, Any] = {}
    if (run / "environment.json").exists():
        figures["precision"] = json.loads((run / "environment.json").read_text())[-1]["precision"]
    if (run / "history.csv").exists() and len(history := pd.read_csv(run / "history.csv")):
        figures |= {"epochs": len(history), **history.iloc[-1].to_dict()}
    if (run / "results.csv").exists():
        figures |= pd.read_csv(run / "results.csv").mean(numeric_only=True).to_dict()
    return figures


def keep_run(run: Path, kept: Path) -> None:
    """Writes a run's sheets as JPEG, and its model in float16."""
    for sheet in [run / "comparison.png", *sorted((run / "pictures").glob("*.png"))[-1:]]:
        if sheet.exists():
            Image.open(sheet).convert("RGB").save(kept / f"{run.name}_{sheet.stem}.jpg", quality=90)
    if (run / "model.safetensors").exists():
        share(run / "model.safetensors", kept / f"{run.name}.safetensors", read_card(run / "model.safetensors"))


def pack(kept: Path, output: Path) -> None:
    """more.tar and models.tar.00, .01, ... of all that is kept by now."""
    models = sorted(kept.glob("*.safetensors"), key=lambda path: path.stat().st_size)
    with tarfile.open(output / "more.tar", "w") as tar:
        for path in sorted({*kept.iterdir()} - {*models}):
            tar.add(path, path.name)
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for path in models:
            tar.add(path, path.name)
    for number, start in enumerate(range(0, len(data.getvalue()) if models else 0, PART_BYTES)):
        (output / f"models.tar.{number:02}").write_bytes(data.getvalue()[start : start + PART_BYTES])


def write_results(output: Path, machine: str, results: Sequence[dict[str, Any]]) -> None:
    """gpu.json and gpu.md."""
    write_json(output / "gpu.json", {"machine": machine, "parts": results, "models": JOIN})
    lines = [f"# {machine}", "", "| part | status | seconds |", "| --- | --- | --- |"]
    lines += [f"| {each['name']} | {each['status']} | {each['seconds']} |" for each in results]
    for each in results:
        lines += ["", f"## {each['name']}", "", f"`{each['command']}`", ""]
        figures = {name: value for name, value in each["figures"].items() if value == value}
        if each["tables"]:
            lines += each["tables"]
        elif figures and each["status"] == "done":
            cells = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in figures.values()]
            lines += [" | ".join(["", *row, ""]).strip() for row in (figures, ["---"] * len(figures), cells)]
        else:
            lines += ["```", *each["printed"], "```"]
    lines += ["", "## Models", "", f"`{JOIN}`"]
    (output / "gpu.md").write_text("\n".join(lines) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=user_path, required=True, help="large sharp photos, for super-resolution")
    parser.add_argument("--photos", type=user_path, help="everyday photos, for the other tasks [those of --data]")
    parser.add_argument("--vgg", default="torchvision", help="VGG16 weights: torchvision, random or a file")
    parser.add_argument(
        "--encoder", type=user_path, help="accepted, and not used: the encoder of colorize is the VGG16"
    )
    parser.add_argument("--style", type=user_path, help="painting [the config's own]")
    parser.add_argument("--test", type=user_path, nargs="*", default=[], help="folders of sharp photos to measure on")
    parser.add_argument("-o", "--output", type=user_path, required=True, help="folder for the results")
    parser.add_argument("--minutes", type=number_at_least(0.1, float), default=8, help="in all [8]")
    parser.add_argument("--device", default="cuda", help="cuda or cpu [cuda]")
    args = parser.parse_args()
    machine, end = describe_machine(get_device(args.device)), time.monotonic() + 60 * args.minutes
    names = (f"{args.output.name}_runs{number}" for number in ("", *range(2, 10_000)))  # an earlier call's runs stay
    runs = next(folder for name in names if not (folder := args.output.with_name(name)).exists())
    kept = runs / "kept"
    for folder in (args.output, kept):
        folder.mkdir(parents=True, exist_ok=True)
    results: list[dict[str, Any]] = []
    parts = list(plan_parts(args, runs))
    for number, part in enumerate(parts):
        seconds = (end - time.monotonic()) * part.share / sum(later.share for later in parts[number:])
        if seconds < LEAST_SECONDS:
            print(f"no time left for {part.name}")
            continue
        results.append(run_part(part, seconds, kept / f"{part.name.replace(' ', '_')}.log"))
        print(f"{part.name}: {results[-1]['status']}, {results[-1]['seconds']} s", flush=True)
        if part.run is not None:
            keep_run(part.run, kept)
        pack(kept, args.output)
        write_results(args.output, machine, results)
    print(f"{args.output / 'gpu.md'}")
    return int(any(each["status"] != "done" for each in results))


if __name__ == "__main__":
    run_command(main)
