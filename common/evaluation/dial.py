"""The curve between two models of one shape: how faithful against how sharp, as their weights are mixed.

A model cannot be the best in both (Blau & Michaeli 2018, arXiv 1711.06077); the dial chooses after training.
"""

import copy
import logging
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from torch import nn

from common.evaluation.report import Results
from common.models.blend import blend
from common.runtime.files import atomic_write

log = logging.getLogger(__name__)

Model = TypeVar("Model", bound=nn.Module)

CURVE_FILE, PLOT_FILE = "blend.csv", "blend.png"


def mixtures(model: Model, other: Model, other_path: Path, steps: int) -> dict[str, Model]:
    """{part of the other: mixture}, `steps` of them from the first model to the other.

    Raises UserError if they are not of one shape.
    """
    mixed: dict[str, Model] = {}
    for part in np.linspace(0, 1, steps).round(4).tolist():
        mixed[f"{part:g}"] = mixture = copy.deepcopy(model)
        blend(mixture, other, part, other_path)
    return mixed


def write_curve(results: Results, parts: list[str], folder: Path) -> pd.DataFrame:
    """A table of what was measured of each mixture, which becomes `blend.csv` in the folder; returns it.

    The first metric over the last distance becomes `blend.png`.
    """
    averages = results.averages
    metrics = [key.split(" ", 1)[1] for key in averages if key.startswith(f"{parts[0]} ")]
    rows = [{"part": float(part), **{metric: averages[f"{part} {metric}"] for metric in metrics}} for part in parts]
    table = pd.DataFrame(rows)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / CURVE_FILE) as temporary:
        table.to_csv(temporary, index=False)
    distances = [metric for metric in metrics if metric.startswith(("LPIPS", "DISTS", "VGG"))]
    if distances:
        draw_curve(table, metrics[0], distances[-1], folder / PLOT_FILE)
    log.info("curve: %s", folder / CURVE_FILE)
    return table


def draw_curve(table: pd.DataFrame, metric: str, distance: str, path: Path) -> None:
    """Draws a metric over a perceptual distance, a point a mixture."""
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(table[distance], table[metric], marker="o")
    for part, x, y in table[["part", distance, metric]].itertuples(index=False):
        axes.annotate(f"{part:g}", (x, y), textcoords="offset points", xytext=(8, -12))
    axes.set(xlabel=f"{distance} (lower: more like photos)", ylabel=metric)
    axes.grid(alpha=0.3)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
