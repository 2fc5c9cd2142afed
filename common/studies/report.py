"""The report of a study, as Markdown: what was measured, what each variant changes, what to bear in mind."""

import json
import shlex

import pandas as pd

from common.runtime.files import read_json

ARROWS = {max: " ↑", min: " ↓"}


def render_report(study, configs, photos, folder, averages, best, diverged, notes):
    """Markdown text of a study in `folder`, with its pictures in `comparison.png`.

    study: `common.studies.study.SavedStudy`; configs: {variant: config}; photos: (training, held-out). averages: {"kind
    metric": value} of baselines and of variants but for the `diverged`. best: {metric: max or min}. notes: lines.
    """
    trained = [name for name in configs if name not in diverged]
    steps = {name: count_steps(len(photos[0]), configs[name]) for name in trained}
    minutes = {name: pd.read_csv(folder / name / "history.csv")["seconds"].sum() / 60 for name in trained}
    figures = format_figures(averages, best, configs)
    figures["steps"] = pd.Series(steps).astype(str)
    figures["minutes"] = pd.Series(minutes).map("{:.1f}".format)
    budget = "with as many steps" if len(set(steps.values())) <= 1 else "**but not with as many steps**"
    starts = [start for name in configs for start in read_json(folder / name / "environment.json")]
    machines = {f"{start['device']}, torch {start['packages']['torch']}": None for start in starts}
    return "\n".join(
        [
            f"# {study.name}",
            "",
            f"{len(configs)} variants of one config, trained on the same {len(photos[0])} photos, with the same crops "
            f"in the same order unless its changes say otherwise, {budget}. Averages of "
            f"{len(pd.read_csv(folder / 'results.csv'))} photos that none was trained on; of each variant the epoch is "
            f"measured that had the lowest loss on crops of them. On {'; '.join(machines)}, by "
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
            *("One training each: as much as two seeds of one config differ by is chance.", *notes),
            "",
            f"![{study.name}](comparison.png)",
            "",
        ]
    )


def format_figures(averages, best, variants):
    """A DataFrame of text, a line a kind, a column a metric; the best variant's is bold, those without any diverged."""
    table = pd.Series(averages, dtype=float)
    table.index = pd.MultiIndex.from_tuples(key.split(" ", 1) for key in averages)
    kinds, metrics = (table.index.unique(level) for level in (0, 1))
    table = table.unstack().reindex(index=kinds, columns=metrics)
    text = table.map(lambda value: "" if pd.isna(value) else f"{value:#.4g}")
    for metric in metrics.intersection(list(best)):
        rows = table.loc[kinds.isin(list(variants)), metric]
        if rows.notna().any():
            winner = rows.idxmax() if best[metric] is max else rows.idxmin()
            text.loc[winner, metric] = f"**{text.loc[winner, metric]}**"
    diverged = [name for name in variants if name not in kinds]
    text = text.reindex([*kinds, *diverged])
    text.loc[diverged] = "diverged"
    return text.rename(columns={metric: f"{metric}{ARROWS.get(best.get(metric), '')}" for metric in metrics})


def to_markdown_table(table):
    """The lines of a Markdown table; what is missing is left empty."""
    table = table.astype(object).where(table.notna(), "")
    rows = [["", *table.columns], ["---"] * (1 + len(table.columns))]
    rows += [[name, *row] for name, *row in table.itertuples()]
    return ["| " + " | ".join(map(str, row)) + " |" for row in rows]


def count_steps(n_photos, config):
    crops = n_photos * config.data.crops_per_photo
    return sum(crops // stage.bs * stage.epochs for stage in config.train.stages)
