"""What `data.degrade` costs, as a part of a training step of superres_photo_2x.

python -m benchmarks.damages                        sample photos; half a minute on 2 CPU cores
python -m benchmarks.damages train.precision=fp32
"""

import argparse
import statistics
import time

import torch

import superres
from benchmarks.measure import describe_machine, print_table, silence_warnings
from common.config.damages import PRESETS
from common.runtime.command import run_command
from common.training.learner import StageLearner
from superres.data import Degrade

STEPS = 12  # the first two of which are not counted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="settings of the config")
    args = parser.parse_args()
    silence_warnings()
    learn = superres.get_learner("superres_photo_2x.yaml", "data.crops_per_photo=8", *args.overrides)
    print(describe_machine(learn.dls.device))
    batches = [y.as_subclass(torch.Tensor) for _, y in (learn.dls.train.one_batch() for _ in range(STEPS))]
    step = time_steps(learn)
    rows = []
    for name, passes in PRESETS.items():
        degrade, seconds = Degrade(learn.dls.train.after_batch.fs[-1].scale, passes), []
        for i, batch in enumerate(batches):
            degrade.position = (0, i)
            began = time.perf_counter()
            degrade.low_resolution(batch)
            synchronize(learn.dls.device)
            seconds.append(time.perf_counter() - began)
        each = statistics.median(seconds[2:])
        rows.append([name, 1000 * each, 100 * each / step])
    print_table(["data.degrade", "milliseconds a batch", "percent of a step"], rows)


def time_steps(learn: StageLearner) -> float:
    """Seconds of a training step, the median."""
    seconds: list[float] = []
    learn.create_opt()
    learn.model.train()
    x, y = learn.dls.train.one_batch()
    for _ in range(STEPS):
        began = time.perf_counter()
        with torch.autocast(x.device.type, torch.bfloat16, enabled=hasattr(learn, "b_float16")):
            loss = learn.loss_func(learn.model(x).float(), y)
        loss.backward()
        learn.opt.step()
        learn.opt.zero_grad()
        synchronize(x.device)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[2:])


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    run_command(main)
