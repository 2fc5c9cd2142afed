"""The report of a study, as Markdown: what was measured, what each variant changes, what to bear in mind."""

import json
import shlex

import pandas as pd

from common.files import read_json

ARROWS = {max: " ↑", min: " ↓"}


def draw_report(title, variants, configs, photos, folder, averages, best, notes):
    """Markdown text of a study in `folder`, with its pictures in `comparison.png`.

    variants: {name: its changes}; configs: {name: config}; photos: (training, held-out). averages: {"kind metric":
    value} for baselines and variants; a variant without any diverged. best: {metric: max or min}. notes: lines.
    """
    n_train, n_held_out = map(len, photos)
    environment = read_json(folder / next(iter(variants)) / "environment.json")[-1]
    figures = figures_table(averages, best, variants)
    steps = {name: count_steps(n_train, configs[name]) for name in variants}
    figures["steps"] = pd.Series(steps).astype(str)
    figures["minutes"] = pd.Series({name: f"{minutes(folder / name):.1f}" for name in variants})
    budget = "with as many steps" if len(set(steps.values())) == 1 else "**but not with as many steps**"
    return "\n".join(
        [
            f"# {title}",
            "",
            f"{len(variants)} variants of one config, trained on the same {n_train} photos, with the same crops in the "
            f"same order unless its changes say otherwise, {budget}. Measured on {n_held_out} photos that were held "
            f"out; averages. {environment['device']}, torch {environment['packages']['torch']}. By "
            f"`{shlex.join(environment['command'])}`.",
            "",
            *markdown(figures),
            "",
            "`↑` the higher the better, `↓` the lower. Minutes are those of training, with what is measured and saved "
            "after each epoch. What each variant changes (all its keys are in `VARIANT/config.yaml`):",
            "",
            *(
                f"- `{name}`: {f'`{json.dumps(changes)}`' if changes else 'nothing'}"
                for name, changes in variants.items()
            ),
            "",
            *("One training each: as much as two seeds of one config differ by is chance.", *notes),
            "",
            f"![{title}](comparison.png)",
            "",
        ]
    )


def figures_table(averages, best, variants):
    """A DataFrame of text, a line a kind, a column a metric; the best variant's is bold."""
    table = pd.Series(averages)
    table.index = pd.MultiIndex.from_tuples(key.split(" ", 1) for key in averages)
    kinds, metrics = (table.index.unique(level) for level in (0, 1))
    table = table.unstack().reindex(index=kinds, columns=metrics)
    text = table.map(lambda value: "" if pd.isna(value) else f"{value:#.4g}")
    for metric in metrics.intersection(list(best)):
        rows = table.loc[kinds.isin(list(variants)), metric]
        winner = rows.idxmax() if best[metric] is max else rows.idxmin()
        text.loc[winner, metric] = f"**{text.loc[winner, metric]}**"
    diverged = [name for name in variants if name not in kinds]
    text = text.reindex([*kinds, *diverged])
    text.loc[diverged] = "diverged"
    return text.rename(columns={metric: f"{metric}{ARROWS.get(best.get(metric), '')}" for metric in metrics})


def markdown(table):
    """The lines of a Markdown table; what is missing is left empty."""
    table = table.astype(object).where(table.notna(), "")
    rows = [
        ["", *table.columns],
        ["---"] * (1 + len(table.columns)),
        *([name, *row] for name, *row in table.itertuples()),
    ]
    return ["| " + " | ".join(map(str, row)) + " |" for row in rows]


def count_steps(n_photos, config):
    crops = n_photos * config.data.crops_per_photo
    return sum(crops // stage.bs * stage.epochs for stage in config.train.stages)


def minutes(run):
    """What the epochs of a run took."""
    history = run / "history.csv"
    return pd.read_csv(history)["seconds"].sum() / 60 if history.exists() else 0.0
