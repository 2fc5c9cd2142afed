"""The curve between two models of one shape: how faithful against how sharp, as their weights are mixed.

A model cannot be the best in both (Blau & Michaeli 2018, arXiv 1711.06077); the dial chooses after training.
"""

import copy
import logging
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from common.evaluation.perceptual import MeasurePerceptual
from common.models.blend import blend
from common.runtime.files import atomic_write
from superres.data import Degrade
from superres.measure import evaluate
from superres.model import SuperResolver
from superres.pairs import PairInput

log = logging.getLogger(__name__)

CURVE_FILE, PLOT_FILE = "blend.csv", "blend.png"


def measure_dial(
    paths: list[Path],
    degrade: Degrade | PairInput,
    model: SuperResolver,
    other: SuperResolver,
    other_path: Path,
    steps: int,
    folder: Path,
    perceptual: MeasurePerceptual,
    tile: int,
) -> pd.DataFrame:
    """Measures `steps` mixtures of two models, from the first to the other; logs and returns a table.

    Columns: part (0 the first, 1 the other), PSNR-Y, SSIM-Y, and what `perceptual` measures. Writes it as `blend.csv`
    into the folder, and PSNR-Y against LPIPS, or else the VGG distance, as `blend.png`. Raises UserError if the models
    are not of one shape.
    """
    mixtures: dict[str, SuperResolver] = {}
    parts = np.linspace(0, 1, steps).round(4).tolist()
    for part in parts:
        mixtures[f"{part:g}"] = mixture = copy.deepcopy(model)
        blend(mixture, other, part, other_path)
    averages = evaluate(paths, degrade, mixtures, None, perceptual=perceptual, tile=tile).averages
    metrics = [key.split(" ", 1)[1] for key in averages if key.startswith(f"{parts[0]:g} ")]
    rows = [{"part": part, **{metric: averages[f"{part:g} {metric}"] for metric in metrics}} for part in parts]
    table = pd.DataFrame(rows)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / CURVE_FILE) as temporary:
        table.to_csv(temporary, index=False)
    distances = [metric for metric in metrics if metric not in ("PSNR-Y", "SSIM-Y")]
    if distances:
        draw_dial(table, distances[-1], folder / PLOT_FILE)
    log.info("curve: %s", folder / CURVE_FILE)
    return table


def draw_dial(table: pd.DataFrame, distance: str, path: Path) -> None:
    """Draws PSNR-Y over a perceptual distance, a point a mixture."""
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(table[distance], table["PSNR-Y"], marker="o")
    for part, x, y in table[["part", distance, "PSNR-Y"]].itertuples(index=False):
        axes.annotate(f"{part:g}", (x, y), textcoords="offset points", xytext=(8, -12))
    axes.set(xlabel=f"{distance} (lower: more like photos)", ylabel="PSNR-Y in dB (higher: more faithful)")
    axes.grid(alpha=0.3)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
