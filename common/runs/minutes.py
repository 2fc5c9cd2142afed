"""`train.minutes`: how many steps fit into the time that there is."""

import gc
import logging
import time
from pathlib import Path
from typing import Any

import torch
from fastai.callback.core import Callback
from fastai.learner import CancelTrainException  # pyright: ignore[reportAttributeAccessIssue]
from fastai.torch_core import set_seed

from common.batches.folders import PhotoSplit
from common.config.sections import StageConfig, TaskConfig
from common.config.yaml_file import load_config
from common.runs.prepare import get_learner
from common.runtime import processes
from common.task import Task
from common.training.advice import advising
from common.training.balance import EVERY
from common.training.clip import Clip
from common.training.learner import StageLearner, without_progress_bars

log = logging.getLogger(__name__)

WARM_UP, TIMED = 2, 4  # steps
LEAST_STEPS = 2  # of an epoch


class Timer(Callback):
    """Ends an epoch's training after some steps; notes the seconds of one, and those of the validation that follows.

    Of the last epoch: in the first, photos are read for the first time, and compiled code is made.
    """

    order = 90
    learn: Any  # a StageLearner

    def __init__(self, parts: int) -> None:
        self.parts = parts  # batches that make a step

    def before_batch(self) -> None:
        self.learn.loss_func.progress = 1.0  # all terms count, as they do in the end

    def before_train(self) -> None:
        self.moments = [time.perf_counter()]
        self.timed = TIMED if getattr(self.learn, "balance", None) is None else EVERY  # of which one measures pulls

    def after_batch(self) -> None:
        if not self.training or (self.iter + 1) % self.parts:
            return
        if torch.accelerator.is_available():
            torch.accelerator.synchronize()
        self.moments.append(time.perf_counter())
        if len(self.moments) > WARM_UP + self.timed:
            raise CancelTrainException

    def before_validate(self) -> None:
        self.began = time.perf_counter()

    def after_validate(self) -> None:
        self.validation = time.perf_counter() - self.began

    @property
    def step(self) -> float:
        """Seconds; the first steps are left out where there are others."""
        first = min(WARM_UP, len(self.moments) - 2)
        return (self.moments[-1] - self.moments[first]) / (len(self.moments) - 1 - first)


def with_steps_of(run: Path, config: TaskConfig) -> TaskConfig:
    """The config with the steps that its run has settled on in place of `train.minutes`."""
    if config.train.minutes is None:
        return config
    old = load_config(type(config), run / "config.yaml").train.stages
    log.info("train.minutes: the steps of an epoch stay as they were timed when the run began")
    stages = [
        stage.model_copy(update={"steps": old[min(index, len(old) - 1)].steps})
        for index, stage in enumerate(config.train.stages)
    ]
    return config.model_copy(update={"train": config.train.model_copy(update={"minutes": None, "stages": stages})})


def with_steps(
    task: Task, config: TaskConfig, photos: PhotoSplit, device: torch.device, resume: Path | None
) -> TaskConfig:
    """The config with the steps of each stage's epochs in place of `train.minutes`; those of `resume`, a stopped run.

    They are timed with a learner of its own, so that training begins as if nothing had been.
    """
    train = config.train
    if train.minutes is None:
        return config
    if resume is not None:
        return with_steps_of(resume, config)
    learn = without_progress_bars(get_learner(task, config, photos, device))
    epochs = sum(stage.epochs for stage in train.stages)
    seconds_of_epoch, stages = 60 * train.minutes / epochs, list[StageConfig]()
    for index, stage in enumerate(train.stages):
        step, validation = time_stage(learn, index)
        steps = max(LEAST_STEPS, int((seconds_of_epoch - validation) / step))
        log.info("stage %d: %.2g s a step, so %d steps in each of %d epochs", index + 1, step, steps, stage.epochs)
        stages.append(stage.model_copy(update={"steps": steps}))
    del learn
    gc.collect()  # a learner is full of cycles, and holds the GPU's memory
    set_seed(train.seed)  # as `prepare` does
    return config.model_copy(update={"train": train.model_copy(update={"minutes": None, "stages": stages})})


def time_stage(learn: StageLearner, index: int) -> tuple[float, float]:
    """Seconds of a step and of a validation, the mean over all processes."""
    timer = Timer(learn.train_config.accumulate)
    learn.remove_cb(Clip)  # whose lines are about the training
    learn.begin_stage(index)
    with advising(index, learn.train_config):
        learn.fit_one_cycle(2, 1e-6, cbs=[timer])
    sums = processes.all_reduce_sum([timer.step, timer.validation])
    return sums[0] / processes.count(), sums[1] / processes.count()
