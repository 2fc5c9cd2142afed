"""The page of a study, `report.html`: what was measured, what each variant changes, what to bear in mind."""

import logging
import shlex
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import accumulate, product
from pathlib import Path
from statistics import mean
from typing import Any

import pandas as pd
from markupsafe import Markup

from common.batches.block import steps_of_epochs
from common.batches.folders import PhotoSplit
from common.config.sections import TaskConfig
from common.evaluation.report import PHOTOS_ON_PAGE, Results, photos_of_page
from common.pages.charts import line_chart
from common.pages.page import REPORT_FILE, flatten, format_figure, to_yaml, write_page, write_within_limit
from common.pages.scatter import scatter_chart
from common.runs.callbacks import PULL
from common.runs.card import minutes_of
from common.runs.minutes import with_steps_of
from common.runs.page import read_history
from common.runtime.files import read_json
from common.studies.fairness import MARK, describe_trained_on, find_trained_on
from common.studies.seeds import clear_best, over_seeds
from common.studies.study import SavedStudy

log = logging.getLogger(__name__)

MAX_CHARTS = 4
DISTORTIONS, PERCEPTIONS = ("PSNR-Y", "PSNR"), ("LPIPS", "LPIPS-squeeze", "DISTS", "DISTS-like", "VGG")
ONE_RUN = "One run each: differences no larger than between two seeds of one config are chance."
SEEDS_LEGEND = " where it leads by more than the ranges; ± is half the range over the seeds"


def write_study_page(
    study: SavedStudy,
    configs: Mapping[str, TaskConfig],
    photos: PhotoSplit,
    folder: Path,
    results: Results,
    higher_is_better: Mapping[str, bool],
    diverged: Sequence[str],
    notes: Sequence[str],
) -> Path:
    """Writes the page of a study in `folder`, and returns its path.

    configs: {variant: config}. results: of baselines and of the variants but for the `diverged`. notes: lines on the
    metrics.
    """
    trained = [name for name in configs if name not in diverged]
    histories = {name: read_history(folder / name) for name in trained}
    of_epochs = {
        name: steps_of_epochs(len(photos.train), with_steps_of(folder / name, configs[name])) for name in trained
    }
    steps = {name: sum(numbers) for name, numbers in of_epochs.items()}
    minutes = {name: minutes_of(folder / name) for name in trained}
    first_runs = [next((run for run in names if run in trained), names[0]) for names in study.runs().values()]
    shown = [name for name in trained if name in first_runs]
    means = {key: spread.mean for key, spread in over_seeds(results.averages, study.runs()).items()}
    legend = f"↑ the higher the better, ↓ the lower; the best variant is bold{SEEDS_LEGEND * (study.seeds > 1)}. "
    losses = {variant: configs[names[0]].loss for variant, names in study.runs().items()}
    metrics = dict.fromkeys(key.split(" ", 1)[1] for key in means)
    trained_on = find_trained_on(metrics, losses, study.vgg)
    favoured = describe_trained_on(trained_on)
    for line in favoured:
        log.info("%s", line)
    path = folder / REPORT_FILE
    values = {
        "title": study.name,
        "paragraphs": describe_study(study, configs, photos, folder, results, set(steps.values())),
        "table": study_table(results.averages, higher_is_better, study.runs(), steps, minutes, trained_on),
        "legend": legend
        + "A click on a heading sorts. Minutes are those of training and of measuring crops after each "
        "epoch.",
        "variants": {
            name: {key: to_yaml(value) for key, value in flatten(changes).items()}
            for name, changes in study.variants.items()
        },
        "notes": [
            *([ONE_RUN] if study.seeds == 1 else []),
            *([f"Diverged: {', '.join(diverged)}."] if diverged else []),
            *favoured,
            *notes,
            *results.notes,
        ],
        "charts": [
            *draw_trade_offs(means, list(study.variants)),
            *draw_charts({name: histories[name] for name in shown}, configs, of_epochs),
        ],
        "command": shlex.join(study.command),
    }
    write_within_limit(partial(write_with_photos, path, results, shown, values), PHOTOS_ON_PAGE)
    return path


SAME_CROPS = "with the same crops in the same order unless its changes say otherwise, "


def write_with_photos(path: Path, results: Results, trained: Sequence[str], values: dict[str, Any], n: int) -> int:
    """Writes the page with at most n photos; returns its size."""
    left, right = (trained[0], trained[1]) if len(trained) > 1 else (None, trained[0] if trained else None)
    return write_page(path, "study.html", **values, **photos_of_page(results, n, left, right))


def describe_study(
    study: SavedStudy,
    configs: Mapping[str, TaskConfig],
    photos: PhotoSplit,
    folder: Path,
    results: Results,
    steps: set[int],
) -> list[str]:
    """How it was made, as paragraphs. steps: how many the variants were trained, if it is not the same for all."""
    budget = "with the same number of steps" if len(steps) <= 1 else "but with different numbers of steps"
    environments = [file for name in configs if (file := folder / name / "environment.json").exists()]
    starts = [start for file in environments for start in read_json(file)]
    each = f", each with {study.seeds} seeds" if study.seeds > 1 else ""
    machines = {f"{start['device']}, torch {start['packages']['torch']}": None for start in starts}
    return [
        f"{len(study.variants)} variants of one config ({study.task}){each}, trained on the same {len(photos.train)} "
        f"photos, {SAME_CROPS * (len(steps) <= 1)}{budget}. "
        f"On {'; '.join(machines)}.",
        f"Averages of {len(results.table)} photos that none was trained on. Each variant is measured at its epoch with "
        "the lowest loss on crops of them.",
    ]


def study_table(
    averages: Mapping[str, float],
    higher_is_better: Mapping[str, bool],
    runs: Mapping[str, Sequence[str]],
    steps: Mapping[str, int],
    minutes: Mapping[str, float],
    trained_on: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """The averages as the page's template takes them: a row a name, the best variant's marked.

    runs: {variant: names of its runs}, over which a row's numbers are means. trained_on: {metric: variants that were
    trained on it}, which says so beside their figures; such a metric has no best variant.
    """
    spreads = over_seeds(averages, runs)
    steps = {name: steps[run] for name, names in runs.items() for run in reversed(names) if run in steps}
    known = {name: [minutes[run] for run in names if run in minutes] for name, names in runs.items()}
    minutes = {name: mean(each) for name, each in known.items() if each}
    variants = list(runs)
    measured = list(dict.fromkeys(key.split(" ", 1)[0] for key in spreads))
    metrics = list(dict.fromkeys(key.split(" ", 1)[1] for key in spreads))
    fair = {metric: higher for metric, higher in higher_is_better.items() if not trained_on.get(metric)}
    best = {metric: clear_best(spreads, runs, metric, higher) for metric, higher in fair.items()}

    def cell(value: float | None, text: str, is_best: bool = False) -> dict[str, Any]:
        return {"text": text, "value": value, "best": is_best}

    rows: list[list[dict[str, Any]]] = []
    for name in [*measured, *(name for name in variants if name not in measured)]:
        row = [cell(None, name)]
        for metric in metrics:
            spread, n = spreads.get(f"{name} {metric}"), len(runs.get(name, [name]))
            value = spread and spread.mean
            text = "" if name in measured else "diverged"
            if spread is not None:
                text = format_figure(spread.mean) + f" ± {spread.half_range:.2g}" * (n > 1)
                text += f" ({spread.runs} of {n})" * (spread.runs < n)
                text += f", {MARK}" * (name in trained_on.get(metric, ()))
            row.append(cell(value, text, best.get(metric) == name))
        row.append(cell(steps.get(name), f"{steps[name]}" if name in steps else ""))
        row.append(cell(minutes.get(name), f"{minutes[name]:.1f}" if name in minutes else ""))
        rows.append(row)
    arrows = {metric: f"{metric} {'↑' if higher else '↓'}" for metric, higher in higher_is_better.items()}
    return {"columns": ["", *(arrows.get(metric, metric) for metric in metrics), "steps", "minutes"], "rows": rows}


def draw_trade_offs(means: Mapping[str, float], names: Sequence[str]) -> list[Markup]:
    """Perception against distortion (Blau and Michaeli 2018, arXiv 1711.06077), where both were measured."""
    charts: list[Markup] = []
    for distortion, perception in product(DISTORTIONS, PERCEPTIONS):
        keys = {name: (f"{name} {distortion}", f"{name} {perception}") for name in names}
        points = {name: (means[x], means[y]) for name, (x, y) in keys.items() if x in means and y in means}
        charts.append(scatter_chart(f"{perception} over {distortion}", points, distortion, perception))
    return [chart for chart in charts if chart]


def draw_charts(
    histories: Mapping[str, pd.DataFrame], configs: Mapping[str, TaskConfig], steps: Mapping[str, Sequence[int]]
) -> list[Markup]:
    """Each metric that all variants have, over steps and over minutes; losses are not alike, so they are left out.

    steps: of each epoch.
    """
    terms = {name for config in configs.values() for name in config.loss.active_terms()}
    left_out = {"epoch", "stage", "train_loss", "valid_loss", "skipped", "seconds", *terms}
    shared = [
        column
        for column in next(iter(histories.values()), pd.DataFrame()).columns
        if column not in left_out
        and not column.startswith(PULL)
        and all(column in history.columns for history in histories.values())
    ]
    charts: list[Markup] = []
    for metric in shared[: MAX_CHARTS // 2]:
        over_steps, over_minutes = {}, {}
        for name, history in histories.items():
            values = history[metric].tolist()
            over_steps[name] = list(zip(accumulate(steps[name]), values, strict=False))
            over_minutes[name] = list(zip((history["seconds"].cumsum() / 60).tolist(), values, strict=True))
        charts.append(line_chart(f"{metric} over steps", over_steps, "steps"))
        charts.append(line_chart(f"{metric} over minutes", over_minutes, "minutes"))
    return [chart for chart in charts if chart]
