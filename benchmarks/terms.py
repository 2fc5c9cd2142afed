"""How hard each term of a loss pulls at the picture, layer by layer: its gradient decides, not its value.

python -m benchmarks.terms configs/superres_4x.yaml data.path=~/photos train.start_from=MODEL.safetensors
python -m benchmarks.terms configs/colorize.yaml data.path=~/photos
"""

import argparse
from collections.abc import Iterator, Sequence
from copy import copy
from itertools import islice
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch import Tensor

import colorize
import styletransfer
import superres
from benchmarks.measure import describe_machine, print_table
from common.commands.arguments import number_at_least
from common.commands.configs import find_config
from common.config.losses import NetworkTerm
from common.losses.loss import PerceptualLoss
from common.losses.pulls import measure_pulls
from common.runtime.command import run_command
from common.runtime.errors import UserError
from common.training.loss_context import take_output

GET_LEARNER = {
    "superres": superres.get_learner,
    "colorize": colorize.get_learner,
    "styletransfer": styletransfer.get_learner,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="CONFIG.yaml")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="settings of the config")
    parser.add_argument(
        "--batches", type=number_at_least(1, int), default=4, help="of the first stage, to average over [4]"
    )
    args = parser.parse_args()
    task = find_config(Path(args.config)).name.partition("_")[0].removesuffix(".yaml")
    if task not in GET_LEARNER:
        raise UserError(f"{args.config}: its name must begin with one of {', '.join(GET_LEARNER)}")
    learn = GET_LEARNER[task](args.config, *args.overrides)
    print(describe_machine(learn.dls.device))
    learn.model.eval()
    pairs: list[tuple[Any, ...]] = []
    for batch in islice(learn.dls.train, args.batches):
        pictures = [tensor.as_subclass(Tensor) for tensor in batch]
        inputs, targets = pictures[: learn.dls.n_inp], pictures[learn.dls.n_inp :]
        with torch.no_grad():
            pairs.append((inputs[0], learn.model(*inputs), take_output(learn.model), *targets))
    rows = [(name, *pull(part, pairs)) for name, part in split(learn.loss_func)]
    total = sum(row[2] for row in rows)
    print_table(["term", "value", "pull", "percent"], [[name, v, p, 100 * p / total] for name, v, p in rows])


def split(loss: PerceptualLoss) -> Iterator[tuple[str, PerceptualLoss]]:
    """(name, the loss with nothing else) for each term, and for each layer of a term; they share their networks."""
    config = loss.config
    for name in loss.names:
        term = getattr(config, name)
        of_layers = {name: term}
        if isinstance(term, NetworkTerm):
            of_layers = {
                f"{name} {layer}": term.model_copy(update={"layers": {layer: weight}})
                for layer, weight in term.layers.items()
            }
        for row, value in of_layers.items():
            part = copy(loss)
            others = {other: type(config).model_fields[other].default for other in loss.names if other != name}
            part.config, part.names = config.model_copy(update={**others, name: value}), [name]
            yield row, part


def pull(loss: PerceptualLoss, batches: Sequence[tuple[Any, ...]]) -> tuple[float, float]:
    """(value, `measure_pulls`) of a loss of one term, averaged over batches.

    Those are (input, prediction, what the network put out before that became a picture, target, ...).
    """
    values, pulls = [], []
    for network_input, pred, output, *targets in batches:
        loss.input, loss.output = network_input, output
        pictures = pred, *targets
        pulls += measure_pulls(loss, *pictures).values()
        with torch.no_grad():
            values.append(loss(*pictures).item())
    return mean(values), mean(pulls)


if __name__ == "__main__":
    run_command(main)
