"""How hard each term of a loss pulls at the picture, layer by layer: its gradient decides, not its value.

python -m benchmarks.terms configs/superres_4x.yaml data.path=~/photos train.start_from=MODEL.safetensors
python -m benchmarks.terms configs/colorize.yaml data.path=~/photos
"""

import argparse
from collections.abc import Iterator, Sequence
from copy import copy
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor

import colorize
import styletransfer
import superres
from benchmarks.measure import describe_machine, print_table
from common.commands.arguments import number_at_least
from common.commands.configs import find_config
from common.config.sections import LossConfig
from common.losses.loss import PIXEL_TERMS, PerceptualLoss
from common.runtime.command import run_command
from common.runtime.errors import UserError

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
    pairs = []
    learn.model.eval()
    for _ in range(args.batches):
        inputs, target = (tensor.as_subclass(Tensor) for tensor in learn.dls.train.one_batch())
        with torch.no_grad():
            pairs.append((learn.model(inputs), target))
    rows = [(name, *pull(part, pairs)) for name, part in split(learn.loss_func)]
    total = sum(row[2] for row in rows)
    print_table(["term", "value", "pull", "percent"], [[name, v, p, 100 * p / total] for name, v, p in rows])


def split(loss: PerceptualLoss) -> Iterator[tuple[str, PerceptualLoss]]:
    """(name, the loss with nothing else) for each term, and for each layer of a term; they share one VGG16."""
    config = loss.config
    parts: dict[str, dict[str, object]] = {
        name: {name: getattr(config, name)} for name in loss.names if name in PIXEL_TERMS
    }
    for name in ("features", "gram"):
        if (term := getattr(config, name)) is not None:
            for layer, weight in term.layers.items():
                parts[f"{name} {layer}"] = {name: term.model_copy(update={"layers": {layer: weight}})}
    for name, values in parts.items():
        part = copy(loss)
        part.config = LossConfig.model_validate({"vgg": config.vgg, **values})
        part.names = part.config.active_terms()
        yield name, part


def pull(loss: PerceptualLoss, pairs: Sequence[tuple[Tensor, Tensor]]) -> tuple[float, float]:
    """(value, root mean square of its gradient in the prediction x how many numbers that has), averaged over batches.

    pairs: (prediction, target), (N, 3, H, W) in [0, 1]. L1 of weight 1 has a pull of 1.
    """
    values, pulls = [], []
    for pred, target in pairs:
        pred = pred.detach().requires_grad_()
        value = loss(pred, target)
        (gradient,) = torch.autograd.grad(value, pred)
        values.append(value.item())
        pulls.append(gradient.square().mean().sqrt().item() * gradient.numel())
    return mean(values), mean(pulls)


if __name__ == "__main__":
    run_command(main)
