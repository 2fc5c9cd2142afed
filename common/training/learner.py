"""Training a Learner in stages, each one cycle."""

import logging
import sys
import textwrap
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import fastai.callback.schedule  # noqa: F401 (gives Learner its fit_one_cycle)
import torch
from fastai.callback.core import Callback
from fastai.callback.training import GradientAccumulation
from fastai.data.core import DataLoaders
from fastai.imports import noop
from fastai.learner import CancelEpochException, Learner  # pyright: ignore[reportAttributeAccessIssue]
from fastai.optimizer import OptimWrapper
from torch import Tensor, nn

from common.config.sections import StageConfig, TrainConfig
from common.data.loader import SeededDL
from common.losses import PerceptualLoss
from common.models.unet import parameter_groups
from common.runtime import processes
from common.runtime.devices import is_out_of_memory
from common.runtime.errors import TrainingStopped, UserError
from common.runtime.interrupt import StopRequest
from common.runtime.memory import release_freed_memory
from common.training.callbacks import (
    BFloat16,
    Checkpoints,
    Float16,
    History,
    ImageMetric,
    LossTerm,
    MakeColumns,
    Pictures,
    SaveModel,
    Schedule,
    TrainLoss,
    ValidLoss,
    precision_callbacks,
)
from common.training.ema import Ema
from common.training.resume import RESUME_FILE, ResumePoint, read_resume_point

log = logging.getLogger(__name__)

AnyLearner = TypeVar("AnyLearner", bound=Learner)

# torch's fused AdamW: one kernel for all parameters, on the CPU and on a GPU. (foreach must not be None: fastai's
# TensorBoard callback logs every hyperparameter as a number.) Unlike fastai's optimizers it decays biases and norms
# too: at wd 1e-3 and lr 1e-3 that is a millionth of each in a step.
adamw = partial(OptimWrapper, opt=torch.optim.AdamW, fused=True, foreach=False)


def resolve_train_config(train: TrainConfig, pretrained: bool, device: torch.device) -> TrainConfig:
    """Returns the config with everything that it leaves open decided for this device.

    Without a pretrained encoder there is nothing worth freezing, so no stage freezes it; a warning says so.
    Raises UserError if the device does not support the precision.
    """
    on_gpu = device.type == "cuda"
    precision = train.precision if train.precision != "auto" else "fp16" if on_gpu else "fp32"
    if precision == "fp16" and not on_gpu:
        raise UserError(f"train.precision = fp16: needs a CUDA GPU, this run is on {device}; set auto, fp32 or bf16")
    workers = train.workers if train.workers is not None else min(8, processes.usable_cores()) if on_gpu else 0
    stages = train.stages
    if not pretrained and any(stage.frozen for stage in stages):
        log.warning("WARNING: pretrained = false: there is no trained encoder to keep, so no stage is frozen")
        stages = [stage.model_copy(update={"frozen": False}) for stage in stages]
    device_name = str(device) if processes.count() == 1 else device.type  # each of several processes has its own GPU
    resolved = {"device": device_name, "precision": precision, "workers": workers, "stages": stages}
    return train.model_copy(update=resolved)


class StageLearner(Learner):
    """fastai's Learner, able to begin a fit at `start` = (epochs done, batches done in the next epoch).

    stage: index of the stage, from 0. epochs_before: number of epochs in the stages before it.
    """

    dl: SeededDL
    start, stage, epochs_before = (0, 0), 0, 0

    def _do_fit(self) -> None:
        for epoch in range(self.start[0], self.n_epoch):
            self.epoch = epoch
            self._with_events(self._do_epoch, "epoch", CancelEpochException)

    def one_batch(self, i: int, b: Any) -> None:
        try:
            super().one_batch(i, b)
        finally:
            for callback in self.cbs:
                if isinstance(callback, BFloat16 | Float16):
                    callback.leave()

    def all_batches(self) -> None:
        self.n_iter = len(self.dl)
        # The held-out photos are the same in each epoch, and so is their noise.
        self.dl.epoch = self.epochs_before + self.epoch if self.training else 0
        self.dl.first = self.start[1] if self.training and self.epoch == self.start[0] else 0
        for index, batch in enumerate(self.dl, start=self.dl.first):
            self.one_batch(index, batch)


def get_learner(
    run: Path,
    train: TrainConfig,
    dls: DataLoaders,
    model: nn.Module,
    loss: PerceptualLoss,
    metrics: Sequence[Callable[[Tensor, Tensor], Tensor]],
    get_columns: MakeColumns,
    save: SaveModel,
) -> StageLearner:
    """Returns the StageLearner of a run, which writes its history, pictures and checkpoints into the folder `run`.

    train: as resolved for the device. metrics: functions (pred, target) -> (N,) on images in [0, 1].
    get_columns(x, pred, target) returns the columns of the pictures. save(path, model) writes a model file.
    """
    accumulate = train.accumulate
    learn = StageLearner(
        dls,
        model.to(dls.device).to(memory_format=torch.channels_last),
        loss_func=loss.to(memory_format=torch.channels_last),
        opt_func=adamw,  # pyright: ignore[reportArgumentType] (fastai's hint names the class, it calls a function)
        train_bn=False,  # batch norm is frozen with the rest of the encoder
        splitter=parameter_groups,
        metrics=[*map(ImageMetric, metrics), *map(LossTerm, loss.names)],
        cbs=[
            History(run / "history.csv", train.stages),
            Pictures(run / "pictures", get_columns),
            Checkpoints(run / "checkpoints", save),
            Schedule(accumulate),
            ResumePoint(run / RESUME_FILE, train.checkpoint_minutes, accumulate, StopRequest()),
            *([Ema(train.ema)] if train.ema else []),
            *precision_callbacks(train.precision),
            *distributed_callbacks(dls.device),
        ],
        path=run,
    )
    learn.recorder.smooth_loss, learn.recorder.loss = TrainLoss(accumulate), ValidLoss()
    return without_progress_bars(learn)


def fit_stages(learn: StageLearner, train: TrainConfig, get_dls: Callable[[StageConfig], DataLoaders]) -> None:
    """Trains the stages of `train` one after the other, each with one `fit_one_cycle` on `get_dls(stage)`.

    The learner's splitter gives [encoder, rest]: a frozen stage trains the rest only, and a pair of learning rates is
    for those two. TensorBoard logs, if wanted, go into one folder per stage, below the learner's path.

    If the run folder has a resume point, training continues from there. Raises TrainingStopped after Ctrl-C or when
    memory runs out, TrainingDiverged at a loss that is not finite, WriteError if the disk is full.
    """
    with learn.resume_point.request:  # already here: fastai, making loaders, would swallow what Ctrl-C raises
        state = read_resume_point(learn.path / RESUME_FILE)
        for index, stage in enumerate(train.stages):
            if state is not None and index < state["stage"]:
                continue
            learn.stage, learn.start = index, (0, 0)
            learn.epochs_before = sum(earlier.epochs for earlier in train.stages[:index])
            release_freed_memory()
            learn.dls = get_dls(stage)
            if stage.frozen:
                learn.freeze()
            else:
                learn.unfreeze()
            if state is not None and index == state["stage"]:
                learn.resume_point.restore(state)
                state = None  # frees it: it is as large as the model and the optimizer
            if learn.start[0] < stage.epochs:
                fit_stage(learn, train, stage)
        if learn.resume_point.stop_requested():
            raise TrainingStopped("stopped after the last epoch", 130)


def fit_stage(learn: StageLearner, train: TrainConfig, stage: StageConfig) -> None:
    """Runs one `fit_one_cycle`. Raises TrainingStopped, with advice, if memory runs out."""
    lr = slice(*stage.lr) if isinstance(stage.lr, list) else stage.lr
    callbacks: list[Callback] = []
    if train.accumulate > 1:
        callbacks.append(GradientAccumulation(stage.bs // processes.count()))
    if train.tensorboard and processes.is_main():
        callbacks.append(tensorboard_callback(learn.path / f"tensorboard/stage_{learn.stage + 1}"))
    try:
        learn.fit_one_cycle(stage.epochs, lr_max=lr, wd=train.wd, cbs=callbacks)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingStopped(out_of_memory_advice(learn.stage, stage, train, error)) from error


def out_of_memory_advice(index: int, stage: StageConfig, train: TrainConfig, error: BaseException) -> str:
    """What to change when stage `index` does not fit into memory, with values that need about half as much."""
    parts = processes.count() * train.accumulate
    candidates = range(2 * train.accumulate, stage.bs + 1)
    more_parts = next((n for n in candidates if stage.bs % (processes.count() * n) == 0), None)
    crop = max(32, round(stage.crop / 2**0.5) // 32 * 32)
    options: list[str] = []
    if more_parts and stage.bs > parts:
        options.append(f"train.accumulate={more_parts} (the same steps in smaller parts)")
    if stage.bs >= 2 * parts:
        options.append(f"train.stages.{index}.bs={stage.bs // 2}")
    if crop < stage.crop:
        options.append(f"train.stages.{index}.crop={crop}")
    return (
        f"train.stages.{index} does not fit into memory ({textwrap.shorten(str(error), 120)}). Each of these needs "
        f"about half as much: {', '.join(options) or 'a smaller model'}. On resume train.accumulate may change"
    )


def distributed_callbacks(device: torch.device) -> list[Callback]:
    if processes.count() == 1:
        return []
    from common.training.distributed import Distributed  # needs accelerate, which is optional

    return [Distributed(device)]


def tensorboard_callback(folder: Path) -> Callback:
    from fastai.callback.tensorboard import TensorBoardCallback  # an optional package, checked by TrainConfig

    return TensorBoardCallback(folder, trace_model=False, log_preds=False)


def without_progress_bars(learn: AnyLearner) -> AnyLearner:
    """Removes progress bars except on a terminal (elsewhere they print control characters) and fastai's table.

    `common.training.callbacks.History` logs the epochs instead.
    """
    learn.logger = noop
    learn.create_mbar = False  # the bar of epochs: fastprogress fails if the first epoch it sees is not epoch 0
    if not sys.stdout.isatty() or not processes.is_main():
        learn.remove_cb(learn.progress)
    return learn
