"""`loss.balance: start`: weights that are shares of the pull on the picture become plain weights, before training."""

import gc
import logging
from pathlib import Path

import torch
from fastai.torch_core import set_seed
from torch import Tensor

from common.batches.folders import PhotoSplit
from common.config.sections import TaskConfig
from common.config.yaml_file import load_config
from common.losses.pulls import measure_pulls, shares
from common.runs.prepare import get_learner
from common.runtime import processes
from common.runtime.errors import UserError
from common.task import Task
from common.training.advice import advising
from common.training.learner import StageLearner, without_progress_bars
from common.training.loss_context import take_output

log = logging.getLogger(__name__)

BATCHES = 4  # that pulls are measured on


def with_balance(
    task: Task, config: TaskConfig, photos: PhotoSplit, device: torch.device, resume: Path | None
) -> TaskConfig:
    """The config with plain weights of its loss's terms, if it has shares; those of `resume`, a stopped run.

    They are measured with a learner of its own, without a step, so that training begins as if nothing had been. All
    pulls together are 1, as L1 alone has with a weight of 1. Raises UserError if a term does not pull at all.
    """
    if config.loss.balance != "start":
        return config
    if resume is not None:
        old = load_config(type(config), resume / "config.yaml").loss
        weights = {name: old.weight(name) for name in old.active_terms()}
        log.info("loss.balance: weights stay as they were measured when the run began")
        return config.model_copy(update={"loss": config.loss.with_weights(weights)})
    learn = without_progress_bars(get_learner(task, config, photos, device))
    pulls = first_pulls(learn)
    del learn
    gc.collect()  # a learner is full of cycles, and holds the GPU's memory
    set_seed(config.train.seed)  # as `prepare` does
    for name, pull in pulls.items():
        if not pull > 0:
            raise UserError(f"loss.{name}: does not pull at the first results, so loss.balance cannot weigh it")
    wanted = shares({name: config.loss.weight(name) for name in pulls})
    weights = {name: float(f"{config.loss.weight(name) * wanted[name] / pulls[name]:.6g}") for name in pulls}
    for name, weight in weights.items():
        log.info("loss.%s: %.0f %% of the pull, a weight of %.4g", name, 100 * wanted[name], weight)
    return config.model_copy(update={"loss": config.loss.with_weights(weights)})


def first_pulls(learn: StageLearner) -> dict[str, float]:
    """{term: its weighted pull} on the results of the model that training begins with, the mean over all processes."""
    learn.begin_stage(0)
    model = learn.model.eval()  # pyright: ignore[reportFunctionMemberAccess]  # fastai's hint is a function
    sums: dict[str, float] = {}
    dl, n = learn.dls.train, 0
    for batch in dl:
        pictures = [tensor.as_subclass(Tensor) for tensor in batch]
        inputs, targets = pictures[: dl.n_inp], pictures[dl.n_inp :]
        learn.loss_func.input = inputs[0]
        with advising(0, learn.train_config):
            with torch.no_grad():
                pred = model(*inputs)
            learn.loss_func.output = take_output(model)
            pulls = measure_pulls(learn.loss_func, pred, *targets)
        for name, pull in pulls.items():
            sums[name] = sums.get(name, 0.0) + pull
        n += 1
        if n == BATCHES:
            break
    dl.stop_workers()
    totals = processes.all_reduce_sum([*sums.values(), float(n)])
    return {name: total / totals[-1] for name, total in zip(sums, totals, strict=False)}
