"""A run's page, `report.html`: written after each epoch from what is in the run's folder, so that it can be watched."""

import math
import re
import shlex
import time
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from fastai.callback.core import Callback
from fastai.callback.schedule import combined_cos
from markupsafe import Markup
from PIL import Image

from common.evaluation.grid import read_columns
from common.evaluation.report import PHOTOS_ON_PAGE, Results, averages_table, photos_of_page
from common.pages.charts import line_chart
from common.pages.page import REPORT_FILE, format_figure, spread, to_yaml, write_page, write_within_limit
from common.pages.pictures import to_data_uri
from common.runs.callbacks import PULL
from common.runs.photos import PHOTOS_FILE
from common.runtime import processes
from common.runtime.durations import format_duration
from common.runtime.files import read_json, side_file
from common.runtime.memory import peak_memory

PAUSE, RELOAD_SECONDS = 60, 15
MAX_MESSAGES = 40
LR_POINTS = 60  # of each stage's curve


class Report(Callback):
    """Writes the page of the run folder `run` after an epoch, at most once a minute."""

    order = 63.5  # after the pictures, before ResumePoint, which may stop the training

    def __init__(self, run: Path) -> None:
        self.run_folder, self.written = run, -math.inf

    def after_epoch(self) -> None:
        if processes.is_main() and time.monotonic() - self.written > PAUSE:
            self.written = time.monotonic()
            write_run_page(self.run_folder, "training", reload_seconds=RELOAD_SECONDS)


def write_run_page(
    run: Path,
    status: str,
    results: Results | None = None,
    heatmap: Image.Image | None = None,
    reload_seconds: int | None = None,
) -> Path:
    """Writes `report.html` into the run's folder; returns its path.

    status: such as 'training'. results: of the held-out photos. heatmap: what the loss sees, of one of them.
    reload_seconds: how often the page reads itself again.
    """
    path = run / REPORT_FILE
    starts = read_json(run / "environment.json")
    config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    history = read_history(run)
    values = {
        "title": run.name,
        "task": starts[0]["task"],
        "status": status,
        "progress": describe_progress(history, config),
        "table": averages_table(results.averages) if results else None,
        "charts": draw_charts(history, config),
        "heatmap": heatmap and {"uri": to_data_uri(heatmap, quality=70), "caption": HEATMAP_CAPTION},
        "facts": list_facts(run, starts, history),
        "keys": {key: to_yaml(value) for key, value in starts[-1].get("keys", {}).items()},
        "messages": read_messages(run / "log.txt"),
        "commands": list_commands(run, starts[0]["task"]),
        "reload_seconds": reload_seconds,
    }
    with side_file(path):
        write_within_limit(partial(write_with_pictures, path, run, results, values), PHOTOS_ON_PAGE)
    return path


HEATMAP_CAPTION = (
    "A held-out photo, its prediction, and the VGG16 between them, layer by layer: the activations of both, where they "
    "differ as the feature loss counts it, and their Gram matrices."
)


def write_with_pictures(path: Path, run: Path, results: Results | None, values: dict[str, Any], n: int) -> int:
    """Writes the page with at most n photos and 4 n / 3 epochs of pictures; returns its size."""
    columns, frames = get_frames(run / "pictures", 4 * n // 3)
    photos = photos_of_page(results, n) if results else {"photos": [], "n_photos": 0, "order": ""}
    return write_page(path, "run.html", **values, **photos, columns=columns, frames=frames)


def read_history(run: Path) -> pd.DataFrame:
    """The run's history; empty before its first epoch, and where somebody has emptied or spoiled the file."""
    try:
        history = pd.read_csv(run / "history.csv")
    except (FileNotFoundError, ValueError):  # pandas' own errors are ValueErrors
        return pd.DataFrame()
    return history if {"epoch", "valid_loss", "seconds"} <= set(history.columns) else pd.DataFrame()


def describe_progress(history: pd.DataFrame, config: dict[str, Any]) -> str:
    """'epoch 3 of 7, 1:20'."""
    n_epochs = sum(stage["epochs"] for stage in config["train"]["stages"])
    if history.empty:
        return f"no epoch of {n_epochs} is finished"
    return f"epoch {len(history)} of {n_epochs}, {format_duration(sum(history['seconds'].tolist()))} of training"


def draw_charts(history: pd.DataFrame, config: dict[str, Any]) -> list[Markup]:
    """Losses, weighted terms, their shares of the pull, metrics and the learning rate, over the epochs."""
    if history.empty:
        return []
    stages, epochs = config["train"]["stages"], history["epoch"].tolist()
    ends = np.cumsum([0, *(stage["epochs"] for stage in stages)]).tolist()
    bands = [(ends[i], ends[i + 1], f"stage {i + 1}") for i in range(len(stages))] if len(stages) > 1 else []
    bands = [(start, min(end, epochs[-1]), label) for start, end, label in bands if start < epochs[-1]]
    best = history.loc[history["valid_loss"].idxmin()]
    mark = (float(best["epoch"]), f"best: epoch {best['epoch']:.0f}")

    def points(name: str) -> list[tuple[float, float]]:
        return list(zip(epochs, history[name].tolist(), strict=True))

    def chart(title: str, names: Sequence[str], **options: Any) -> Markup:
        series = {name: points(name) for name in names}
        return line_chart(title, series, "epoch", bands, mark, **options)

    terms = [name for name in config["loss"] if name in history.columns]  # those with a weight
    others = [name for name in figures_of(history)[1:] if name not in terms]  # after valid_loss
    charts = [chart("Loss", ["train_loss", "valid_loss"])]
    if terms:
        stacked = bool((history[terms].to_numpy() >= 0).all()) and len(terms) > 1
        charts.append(chart("Weighted terms of the validation loss", terms, stacked=stacked))
    shares = {
        name.removeprefix(PULL): [(epoch, 100 * share) for epoch, share in points(name)]
        for name in history.columns
        if name.startswith(PULL)
    }
    charts.append(line_chart("Shares of the pull on the picture, %", shares, "epoch", bands, mark))
    charts += [chart(name, [name]) for name in others]
    rates = rate_points(stages, ends)
    highest = max(rate for _, rate in rates)
    rates = {"learning rate": [(epoch, rate) for epoch, rate in rates if rate > highest / 1e4]}
    charts.append(line_chart("Learning rate", rates, "epoch", bands, log=True))
    return [drawn for drawn in charts if drawn]


def figures_of(history: pd.DataFrame) -> list[str]:
    """The columns of held-out photos: valid_loss, terms, metrics."""
    columns = history.columns[3:]  # after epoch, stage, train_loss
    return [name for name in columns if name not in ("skipped", "seconds") and not name.startswith(PULL)]


def rate_points(stages: Sequence[dict[str, Any]], ends: Sequence[int]) -> list[tuple[float, float]]:
    """[(epoch, learning rate of the network but for its encoder)] of fastai's `fit_one_cycle` in each stage."""
    points: list[tuple[float, float]] = []
    for stage, start in zip(stages, ends, strict=False):
        lr = stage["lr"][-1] if isinstance(stage["lr"], list) else stage["lr"]
        rate = combined_cos(0.25, lr / 25, lr, lr / 1e5)  # its defaults
        points += [(start + stage["epochs"] * p, float(rate(p))) for p in np.linspace(0, 1, LR_POINTS)]
    return points


def get_frames(folder: Path, n: int) -> tuple[list[tuple[str, str | None]], list[tuple[int, str]]]:
    """([(label, picture)] of the columns, [(epoch, picture)] of the prediction in at most n epochs).

    folder: the run's pictures. The prediction's own column has None: it is a picture an epoch.
    """
    files = {int(file.stem.removeprefix("epoch_")): file for file in folder.glob("epoch_*.png")}
    frames = [(epoch, encode_column(files[epoch], "prediction")) for epoch in spread(sorted(files), n)]
    if not files or frames[-1][1] is None:
        return [], []
    last = files[max(files)]
    columns = [(label, None if label == "prediction" else encode_column(last, label)) for label in read_columns(last)]
    return columns, [(epoch, frame) for epoch, frame in frames if frame is not None]


def encode_column(file: Path, label: str) -> str | None:
    """A column of the pictures of an epoch, which seldom change once they are written."""
    found = file.stat()
    return encode_version(file, label, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=500)
def encode_version(file: Path, label: str, modified: int, size: int) -> str | None:
    """The same, of the file that was written at that time: a new run may have the folder's name."""
    column = read_columns(file).get(label)
    return None if column is None else to_data_uri(column, max_side=1024, quality=75)


def list_facts(run: Path, starts: Sequence[dict[str, Any]], history: pd.DataFrame) -> list[tuple[str, str]]:
    """What the results depend on."""
    photos, last = read_json(run / PHOTOS_FILE), starts[-1]
    facts = [
        ("photos", f"{len(photos['train'])} to train on, {len(photos['held out'])} held out"),
        ("begun", starts[0]["time"] + (f", continued {len(starts) - 1} times" if len(starts) > 1 else "")),
        ("device", last["device"] + (f", {last['processes']} processes" if last["processes"] > 1 else "")),
        *([("pull at the start", balance)] if (balance := read_balance(run / "log.txt")) else []),
        *([("precision", last["precision"])] if "precision" in last else []),  # not of earlier versions' runs
        ("versions", ", ".join(f"{name} {number}" for name, number in last["packages"].items())),
        ("Python", last["python"]),
    ]
    if not history.empty:
        best = history.loc[history["valid_loss"].idxmin()]
        figures = [f"{name} {format_figure(best[name])}" for name in figures_of(history)]
        facts.append(("best epoch", f"{best['epoch']:.0f}: {', '.join(figures)}"))
        if "skipped" in history and (skipped := sum(history["skipped"].tolist())):
            facts.append(("skipped steps", f"{skipped:.0f}, as their gradient was not finite"))
    if (memory := peak_memory()) is not None:
        facts.append(("most memory so far", memory))
    if last["git_commit"]:
        facts.append(("commit", last["git_commit"]))
    elif last.get("version"):
        facts.append(("version", last["version"]))
    return facts


def read_balance(log_file: Path) -> str:
    """'l1 25 %, ssim 75 %': the shares that `loss.balance: start` gave the terms; empty without it."""
    text = log_file.read_text(encoding="utf-8", errors="replace") if log_file.exists() else ""
    found = dict(re.findall(r" loss\.(\w+): (\d+ %) of the pull, a weight of", text))
    return ", ".join(f"{name} {share}" for name, share in found.items())


def read_messages(log_file: Path) -> list[str]:
    """Which photos were left out and why, and warnings."""
    if not log_file.exists():
        return []
    lines = log_file.read_text(encoding="utf-8", errors="replace").splitlines()
    messages = [line.split(" ", 2)[-1] for line in lines]  # without date and time
    words = ("skipped", "left out", "WARNING", "changed")
    telling = [line for line in messages if any(word in line for word in words) and not line.startswith("epoch ")]
    more = [f"... {len(telling) - MAX_MESSAGES} more in log.txt"] if len(telling) > MAX_MESSAGES else []
    return telling[:MAX_MESSAGES] + more


def list_commands(run: Path, task: str) -> list[str]:
    here = Path.cwd()
    folder = shlex.quote(str(run.relative_to(here) if run.is_relative_to(here) else run))
    return [
        f"python -m {task}.train --resume {folder}",
        f"python -m {task}.predict {folder} PHOTO_OR_FOLDER -o OUT",
        f"python -m {task}.evaluate {folder} --data FOLDER",
    ]
