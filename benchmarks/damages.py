"""What `data.degrade` costs: steps of superres_photo_2x as they are taken, with loading processes that damage crops.

python -m benchmarks.damages                        sample photos; a minute and a half on 2 CPU cores
python -m benchmarks.damages train.precision=bf16 --workers 4
"""

import argparse
import statistics
import time

import superres
from benchmarks.measure import Row, describe_machine, print_table, silence_warnings
from common.commands.arguments import number_at_least
from common.config.damages import PRESETS
from common.runs.fit import without_progress_bars
from common.runtime.command import run_command

ROUNDS = 3  # of one epoch each, kind after kind; the first warms up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="settings of the config")
    parser.add_argument("--workers", type=number_at_least(0, int), default=2, help="loading processes [2]")
    args = parser.parse_args()
    silence_warnings()
    words = ["data.crops_per_photo=12", f"train.workers={args.workers}", *args.overrides]
    learners = {
        name: without_progress_bars(superres.get_learner("superres_photo_2x.yaml", *words, f"data.degrade={name}"))
        for name in PRESETS
    }
    print(describe_machine(learners["clean"].dls.device))
    seconds: dict[str, list[float]] = {name: [] for name in PRESETS}
    own: dict[str, list[float]] = {name: [] for name in PRESETS}
    for _ in range(ROUNDS):
        for name, learn in learners.items():
            began, used = time.perf_counter(), time.process_time()
            learn.fit(1, 1e-4)
            steps = len(learn.dls.train)
            seconds[name].append((time.perf_counter() - began) / steps)
            own[name].append((time.process_time() - used) / steps)
    step, work = (statistics.median(figures["clean"][1:]) for figures in (seconds, own))
    rows: list[Row] = [
        [name, 1000 * each, 100 * (each / step - 1), 100 * (statistics.median(own[name][1:]) / work - 1)]
        for name in PRESETS
        for each in [statistics.median(seconds[name][1:])]
    ]
    print_table(["data.degrade", "milliseconds a step", "% more than clean", "% more in the main process"], rows)


if __name__ == "__main__":
    run_command(main)
