"""Several seeds of each variant: what is chance between two variants, and what is not."""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import NamedTuple


def run_names(variants: Sequence[str], seeds: int) -> dict[str, list[str]]:
    """{variant: the names of its runs}: its own, or one for each seed."""
    if seeds == 1:
        return {name: [name] for name in variants}
    return {name: [f"{name}_seed{i}" for i in range(seeds)] for name in variants}


class Spread(NamedTuple):
    """Of a variant's runs: the mean, half the range, and how many have a value."""

    mean: float
    half_range: float
    runs: int


def over_seeds(averages: Mapping[str, float], runs: Mapping[str, Sequence[str]]) -> dict[str, Spread]:
    """{"variant metric": Spread}; names that are no runs stay as they are.

    averages: {"run metric": value}. Runs that diverged have none.
    """
    variant_of = {run: variant for variant, names in runs.items() for run in names}
    values: dict[str, list[float]] = {}
    for key, value in averages.items():
        name, metric = key.split(" ", 1)
        values.setdefault(f"{variant_of.get(name, name)} {metric}", []).append(value)
    return {key: Spread(mean(each), (max(each) - min(each)) / 2, len(each)) for key, each in values.items()}


def clear_best(
    spreads: Mapping[str, Spread], runs: Mapping[str, Sequence[str]], metric: str, higher: bool
) -> str | None:
    """The best variant by a metric; with several seeds only if all its runs have a value, and if it leads the next by
    more than both ranges. Else None."""
    known = [name for name in runs if f"{name} {metric}" in spreads]
    ranked = sorted(known, key=lambda name: spreads[f"{name} {metric}"].mean, reverse=higher)
    if not ranked:
        return None
    first = spreads[f"{ranked[0]} {metric}"]
    if first.runs < len(runs[ranked[0]]):
        return None
    if len(ranked) == 1 or len(runs[ranked[0]]) == 1:
        return ranked[0]
    second = spreads[f"{ranked[1]} {metric}"]
    return ranked[0] if abs(first.mean - second.mean) > first.half_range + second.half_range else None
