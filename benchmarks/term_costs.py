"""What each term of the loss adds to a training step.

python -m benchmarks.term_costs --lpips squeezenet.pth     a ResNet18 U-Net, 4 crops of 128 px; a minute
"""

import argparse
from collections.abc import Callable

import torch

from benchmarks.measure import Row, describe_machine, print_table, seconds, silence_warnings
from common.commands.arguments import add_device_argument, number_at_least
from common.commands.configs import CONFIGS
from common.config.losses import SETTINGS, LossConfig
from common.config.yaml_file import load_config
from common.losses.loss import PerceptualLoss
from common.runtime.command import run_command
from common.runtime.devices import get_device
from common.runtime.memory import keep_freed_memory
from superres.config import Config
from superres.network import get_model

LAYERS = {"relu2_2": 5, "relu3_3": 15, "relu4_3": 2}  # of superres_2x.yaml
WARM_UP = 2  # calls
OF_LAYERS = ("features", "gram", "statistics", "sliced", "contextual")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crop", type=number_at_least(64, int), default=128, help="pixels of the enlarged crops [128]")
    parser.add_argument("--bs", type=number_at_least(1, int), default=4, help="crops in a step [4]")
    parser.add_argument("--rounds", type=number_at_least(1, int), default=5, help="times that each is timed [5]")
    parser.add_argument("--lpips", help="weights of LPIPS's network [that term is left out]")
    add_device_argument(parser)
    args = parser.parse_args()
    silence_warnings()
    keep_freed_memory()
    device = get_device(args.device)
    print(f"2x, {args.bs} crops of {args.crop} px, {describe_machine(device)}\n")
    words = ["model.pretrained=false", "model.encoder=resnet18"]
    model = get_model(load_config(Config, CONFIGS / "superres_2x.yaml", words).model, 2)
    model = model.train().to(device, memory_format=torch.channels_last)
    low, sharp = (torch.rand(args.bs, 3, side, side, device=device) for side in (args.crop // 2, args.crop))

    def make_step(terms: dict[str, object]) -> Callable[[], None]:
        loss = PerceptualLoss(LossConfig.model_validate({"vgg": "random", **terms})).to(device)
        loss.input = low
        return lambda: loss(model(low), sharp).backward()

    alone = make_step({"l1": 1})
    rows: list[Row] = []
    for name in LossConfig.model_fields:
        if name in (*SETTINGS, "l1") or (name == "lpips" and args.lpips is None):
            continue
        term = {"lpips": {"weight": 1, "weights": args.lpips}}.get(name, 1)
        term = {"weight": 1, "layers": LAYERS} if name in OF_LAYERS else term
        steps = make_step({name: term, "l1": 1}), alone
        times = [[seconds(step, device) for step in steps] for _ in range(WARM_UP + args.rounds)][WARM_UP:]
        longer, base = (min(column) for column in zip(*times, strict=True))  # other work only adds to a time
        rows.append([name, 1000 * (longer - base), 100 * (longer / base - 1)])
    print_table(["beside l1", "ms", "percent of a step"], rows)


if __name__ == "__main__":
    run_command(main)
