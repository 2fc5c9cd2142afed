"""The report of a study, as Markdown: what was measured, what each variant changes, what to bear in mind."""

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from common.config.sections import TaskConfig
from common.data.folders import PhotoSplit
from common.runtime.files import read_json
from common.studies.study import SavedStudy


def render_report(
    study: SavedStudy,
    configs: Mapping[str, TaskConfig],
    photos: PhotoSplit,
    folder: Path,
    averages: Mapping[str, float],
    higher_is_better: Mapping[str, bool],
    diverged: Sequence[str],
    notes: Sequence[str],
) -> str:
    """Markdown text of a study in `folder`, with its pictures in `comparison.png`.

    configs: {variant: config}. averages: {"name metric": value} of baselines and of the variants but for the
    `diverged`. notes: lines on the metrics.
    """
    trained = [name for name in configs if name not in diverged]
    steps = {name: count_steps(len(photos.train), configs[name]) for name in trained}
    minutes = {name: pd.read_csv(folder / name / "history.csv")["seconds"].sum() / 60 for name in trained}
    figures = format_figures(averages, higher_is_better, configs)
    figures["steps"] = pd.Series(steps).astype(str)
    figures["minutes"] = pd.Series(minutes).map("{:.1f}".format)
    budget = "with the same number of steps" if len(set(steps.values())) <= 1 else "**but with different numbers**"
    starts = [start for name in configs for start in read_json(folder / name / "environment.json")]
    machines = {f"{start['device']}, torch {start['packages']['torch']}": None for start in starts}
    return "\n".join(
        [
            f"# {study.name}",
            "",
            f"{len(configs)} variants of one config, trained on the same {len(photos.train)} photos, with the same "
            f"crops in the same order unless its changes say otherwise, {budget}. Averages of "
            f"{len(pd.read_csv(folder / 'results.csv'))} photos that none was trained on. Each variant is measured at "
            f"its epoch with the lowest loss on crops of them. On {'; '.join(machines)}, by "
            f"`{shlex.join(study.command)}`.",
            "",
            *to_markdown_table(figures),
            "",
            "`↑` the higher the better, `↓` the lower. Minutes are those of training and of measuring crops after each "
            "epoch. What each variant changes (`configs/` has all keys):",
            "",
            *(
                f"- `{name}`: {f'`{json.dumps(changes)}`' if changes else 'nothing'}"
                for name, changes in study.variants.items()
            ),
            "",
            *("One run each: differences no larger than between two seeds of one config are chance.", *notes),
            "",
            f"![{study.name}](comparison.png)",
            "",
        ]
    )


def format_figures(
    averages: Mapping[str, float], higher_is_better: Mapping[str, bool], variants: Iterable[str]
) -> pd.DataFrame:
    """A table of text, a line a name, a column a metric. The best variant's is bold; those without any diverged."""
    table = pd.Series(averages, dtype=float)
    table.index = pd.MultiIndex.from_tuples([tuple(key.split(" ", 1)) for key in averages])
    names, metrics = (table.index.unique(level) for level in (0, 1))
    table = table.unstack().reindex(index=names, columns=metrics)
    text = table.map(lambda value: "" if pd.isna(value) else f"{value:#.4g}")
    for metric in metrics.intersection(list(higher_is_better)):
        rows = table.loc[names.isin(list(variants)), metric]
        if rows.notna().any():
            winner = rows.idxmax() if higher_is_better[metric] else rows.idxmin()
            text.loc[winner, metric] = f"**{text.loc[winner, metric]}**"
    diverged = [name for name in variants if name not in names]
    text = text.reindex([*names, *diverged])
    text.loc[diverged] = "diverged"
    arrows = {metric: " ↑" if higher else " ↓" for metric, higher in higher_is_better.items()}
    return text.rename(columns={metric: f"{metric}{arrows.get(str(metric), '')}" for metric in metrics})


def to_markdown_table(table: pd.DataFrame) -> list[str]:
    """The lines of a Markdown table; what is missing is left empty."""
    table = table.astype(object).where(table.notna(), "")
    rows = [["", *table.columns], ["---"] * (1 + len(table.columns))]
    rows += [[name, *row] for name, *row in table.itertuples()]
    return ["| " + " | ".join(map(str, row)) + " |" for row in rows]


def count_steps(n_photos: int, config: TaskConfig) -> int:
    """Training steps of all stages."""
    crops = n_photos * config.data.crops_per_photo
    return sum(crops // stage.bs * stage.epochs for stage in config.train.stages)
