"""Several seeds of each variant: what is chance between two variants, and what is not."""

from collections.abc import Mapping, Sequence
from statistics import mean


def run_names(variants: Sequence[str], seeds: int) -> dict[str, list[str]]:
    """{variant: the names of its runs}: its own, or one for each seed."""
    if seeds == 1:
        return {name: [name] for name in variants}
    return {name: [f"{name}_seed{i}" for i in range(seeds)] for name in variants}


def over_seeds(
    averages: Mapping[str, float], runs: Mapping[str, Sequence[str]]
) -> tuple[dict[str, float], dict[str, float]]:
    """({"variant metric": mean over its runs}, the same: half the range); names that are no runs stay as they are.

    averages: {"run metric": value}. Runs without a value, those that diverged, are left out.
    """
    variant_of = {run: variant for variant, names in runs.items() for run in names}
    values: dict[str, list[float]] = {}
    for key, value in averages.items():
        name, metric = key.split(" ", 1)
        values.setdefault(f"{variant_of.get(name, name)} {metric}", []).append(value)
    means = {key: mean(each) for key, each in values.items()}
    return means, {key: (max(each) - min(each)) / 2 for key, each in values.items()}


def clear_best(
    means: Mapping[str, float], spreads: Mapping[str, float], names: Sequence[str], metric: str, higher: bool
) -> str | None:
    """The best of the variants by a metric, if it leads the next by more than the spreads of both; else None."""
    known = [name for name in names if f"{name} {metric}" in means]
    ranked = sorted(known, key=lambda name: means[f"{name} {metric}"], reverse=higher)
    if len(ranked) < 2:
        return next(iter(ranked), None)
    first, second = (f"{name} {metric}" for name in ranked[:2])
    is_clear = abs(means[first] - means[second]) > spreads[first] + spreads[second]
    return ranked[0] if is_clear or not any(spreads.values()) else None
