"""The curve of a dial that is turned after training: between two models of one shape, whose weights are mixed.

How faithful against how sharp; or of whatever else a task lets one turn.

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

DISTANCES = ("LPIPS", "DISTS", "VGG")  # how names of metrics begin that are lower for what looks more like a photo


def mixtures(model: Model, other: Model, other_path: Path, steps: int) -> dict[str, Model]:
    """{part of the other: mixture}, `steps` of them from the first model to the other.

    Raises UserError if they are not of one shape.
    """
    mixed: dict[str, Model] = {}
    for part in np.linspace(0, 1, steps).round(4).tolist():
        mixed[f"{part:g}"] = mixture = copy.deepcopy(model)
        blend(mixture, other, part, other_path)
    return mixed


def write_curve(
    results: Results,
    turns: list[str],
    folder: Path,
    dial: str = "part",
    stem: str = "blend",
    axes: tuple[str, str] | None = None,
) -> pd.DataFrame:
    """A table of what was measured at each turn of a dial, which becomes `stem.csv` in the folder; returns it.

    axes: (x, y), two metrics of which a plot becomes `stem.png`. None: the last distance, if there is one, and the
    first metric.
    """
    averages = results.averages
    metrics = [key.split(" ", 1)[1] for key in averages if key.startswith(f"{turns[0]} ")]
    rows = [{dial: float(turn), **{metric: averages[f"{turn} {metric}"] for metric in metrics}} for turn in turns]
    table = pd.DataFrame(rows)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / f"{stem}.csv") as temporary:
        table.to_csv(temporary, index=False)
    distances = [metric for metric in metrics if metric.startswith(DISTANCES)]
    if axes is None and distances:
        axes = distances[-1], metrics[0]
    if axes is not None:
        draw_curve(table, dial, axes, folder / f"{stem}.png")
    else:
        (folder / f"{stem}.png").unlink(missing_ok=True)  # of an earlier time
        log.info("no plot: no distance was measured, and a plot shows one")
    log.info("curve: %s", folder / f"{stem}.csv")
    return table


def draw_curve(table: pd.DataFrame, dial: str, metrics: tuple[str, str], path: Path) -> None:
    """Draws one metric over another, a point a turn of the dial."""
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(table[metrics[0]], table[metrics[1]], marker="o")
    for turn, x, y in table[[dial, *metrics]].itertuples(index=False):
        axes.annotate(f"{turn:g}", (x, y), textcoords="offset points", xytext=(8, -12))
    is_distance = metrics[0].startswith(DISTANCES)
    axes.set(xlabel=f"{metrics[0]}{' (lower: more like photos)' * is_distance}", ylabel=metrics[1])
    axes.grid(alpha=0.3)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
