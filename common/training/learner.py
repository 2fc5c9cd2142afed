"""fastai's Learner for all tasks: trained in stages, each one cycle."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Generic, TypeVar, cast

import fastai.callback.schedule  # noqa: F401 (gives Learner its fit_one_cycle)
import torch
from fastai.callback.core import Callback
from fastai.callback.hook import PrettyString  # also gives Learner its summary
from fastai.callback.progress import ProgressCallback
from fastai.callback.training import GradientAccumulation
from fastai.data.core import DataLoaders
from fastai.imports import noop
from fastai.learner import CancelEpochException, Learner  # pyright: ignore[reportAttributeAccessIssue]
from fastai.optimizer import OptimWrapper
from torch import Tensor, nn

from common.batches.loader import SeededDL
from common.config.sections import StageConfig, TrainConfig
from common.losses.loss import PerceptualLoss
from common.models.fastai_export import export_learner, get_photo_learner
from common.models.unet import parameter_groups
from common.runtime import accelerator, processes
from common.runtime.memory import release_freed_memory
from common.runtime.precision import choose_precision
from common.training.advice import advising
from common.training.balance import Balance
from common.training.clip import Clip
from common.training.ema import Ema, model_to_save
from common.training.finite_steps import FiniteSteps
from common.training.loss_context import LossContext
from common.training.metrics import ImageMetric, LossTerm, TrainLoss, ValidLoss
from common.training.precision import BFloat16, Float16, precision_callbacks
from common.training.schedule import Schedule

Model = TypeVar("Model", bound=nn.Module)
AnyLearner = TypeVar("AnyLearner", bound=Learner)

MakeColumns = Callable[[Tensor, Tensor, Tensor], Mapping[str, Tensor]]
"""(x, pred, target) -> {label: (N, 3, H, W) in [0, 1]}, as `common.evaluation.grid.draw_grid` takes them."""

SaveModel = Callable[[Path, nn.Module], None]
"""Writes one model file."""

# torch's fused AdamW: one kernel for all parameters, on the CPU and on a GPU. (foreach must not be None: fastai's
# TensorBoard callback logs every hyperparameter as a number.) Unlike fastai's optimizers it decays biases and norms
# too: at wd 1e-3 and lr 1e-3 that is a millionth of each in a step.
adamw = partial(OptimWrapper, opt=torch.optim.AdamW, fused=True, foreach=False)


@dataclass(frozen=True)
class ModelFiles(Generic[Model]):
    """How a task's model gets into a model file and out again."""

    save: SaveModel
    """save(path, model) writes a model file."""

    load: Callable[[Path], Model]
    """load(path) opens one: the model in eval mode, on the CPU."""

    to_photo_model: Callable[[Model], nn.Module] = lambda model: model
    """What turns whole photos into results with the model: (N, 3, H, W) -> (N, 3, H', W') in [0, 1]."""


class StageLearner(Learner):
    """fastai's Learner, with the stages of a config to fit: each is one `fit_one_cycle`, on batches of its own.

    Everything else is fastai's, but for `predict` and `export`, which are about whole photos. A fit can begin at
    `start` = (epochs done, batches done in the next epoch). stage: index of the stage, from 0. epochs_before: number
    of epochs before the fit; the batches of an epoch follow from its number.
    """

    dl: SeededDL
    train_config: TrainConfig
    precision: str
    get_stage_dls: Callable[[StageConfig], DataLoaders]
    get_columns: MakeColumns
    files: ModelFiles[Any]
    start, stage, epochs_before = (0, 0), 0, 0

    def _do_fit(self) -> None:
        for epoch in range(self.start[0], self.n_epoch):
            self.epoch = epoch
            self._with_events(self._do_epoch, "epoch", CancelEpochException)
        self.start, self.epochs_before = (0, 0), self.epochs_before + self.n_epoch

    def one_batch(self, i: int, b: Any) -> None:
        try:
            super().one_batch(i, b)
        finally:
            for callback in self.cbs:
                if isinstance(callback, BFloat16 | Float16):
                    callback.leave()

    def all_batches(self) -> None:
        self.n_iter, first = len(self.dl), 0
        if isinstance(self.dl, SeededDL):  # else a list of batches, as `summary` and `show_results` take
            # The held-out photos are the same in each epoch, and so is their noise.
            self.dl.epoch = self.epochs_before + self.epoch if self.training else 0
            self.dl.first = first = self.start[1] if self.training and self.epoch == self.start[0] else 0
        for index, batch in enumerate(self.dl, start=first):
            self.one_batch(index, batch)

    def fit_stages(self) -> None:
        """Trains all stages of the config, one after the other."""
        for index in range(len(self.train_config.stages)):
            self.begin_stage(index)
            self.fit_stage()

    def begin_stage(self, index: int) -> None:
        """Gets the batches of stage `index`, from 0, and freezes or unfreezes the encoder as it says."""
        stages = self.train_config.stages
        self.stage, self.start = index, (0, 0)
        self.epochs_before = sum(stage.epochs for stage in stages[:index])
        for dl in self.dls.loaders:
            dl.stop_workers()
        release_freed_memory()
        self.dls = self.get_stage_dls(stages[index])
        if self.train_config.accumulate > 1:
            self.gradient_accumulation.n_acc = items_in_step(stages[index])
        if stages[index].frozen:
            self.freeze()
        else:
            self.unfreeze()

    def fit_stage(self, cbs: Sequence[Callback] = ()) -> None:
        """Trains the stage that has begun, with one `fit_one_cycle`.

        The learner's splitter gives [encoder, rest]: a pair of learning rates is for those two. Raises TrainingStopped,
        with advice, if memory runs out or compiled code fails.
        """
        stage = self.train_config.stages[self.stage]
        lr = slice(*stage.lr) if isinstance(stage.lr, list) else stage.lr
        with advising(self.stage, self.train_config):
            self.fit_one_cycle(stage.epochs, lr_max=lr, wd=self.train_config.wd, cbs=list(cbs))

    def summary(self) -> PrettyString:
        """fastai's table, which leaves out weights under weight and spectral norm, and the number of all parameters."""
        n = sum(parameter.numel() for parameter in cast(nn.Module, self.model).parameters())
        table = super().summary()  # pyright: ignore[reportAttributeAccessIssue] (fastai patches it in)
        return PrettyString(f"{table}\n\nAll parameters, with those under weight or spectral norm: {n:,}")

    def predict(self, item: Any, rm_type_tfms: Any = None, with_input: bool = False) -> tuple[Any, ...]:
        """The photo enhanced: whole, and as it is. item: a path, a PIL image or an array, as `ToPhoto` takes.

        Returns what fastai's does, (result, result as a tensor (3, H, W) of 0 to 255, tensor in [0, 1]).
        """
        model = self.files.to_photo_model(model_to_save(self))
        return get_photo_learner(model, self.dls.device).predict(item, rm_type_tfms, with_input)

    def save_model(self, path: str | Path) -> None:
        """Writes the model as a model file, which `predict`, `evaluate` and `load_model` take."""
        self.files.save(Path(path), model_to_save(self))

    def export(self, fname: str | Path = "export.pkl", **_: Any) -> None:
        """Writes the model, below `path`, as a learner for `fastai.learner.load_learner`: without loss and photos."""
        if not processes.is_main():
            return
        with TemporaryDirectory() as folder:  # a model with norms cannot be pickled
            self.save_model(Path(folder) / "model.safetensors")
            model = self.files.load(Path(folder) / "model.safetensors")
        export_learner(Path(self.path) / fname, self.files.to_photo_model(model))


def make_learner(
    train: TrainConfig,
    get_stage_dls: Callable[[StageConfig], DataLoaders],
    model: nn.Module,
    loss: PerceptualLoss,
    metrics: Sequence[Callable[[Tensor, Tensor], Tensor]],
    get_columns: MakeColumns,
    files: ModelFiles[Model],
    precision: str | None = None,
) -> StageLearner:
    """Returns a StageLearner with the batches of the first stage. It writes nothing: `common.runs.fit` does.

    metrics: functions (pred, target) -> (N,) on images in [0, 1]. get_columns(x, pred, target) returns the columns of
    pictures. precision: in place of the config's. Raises UserError if the network does not work in it.
    """
    accumulate, dls = train.accumulate, get_stage_dls(train.stages[0])
    precision = choose_precision(precision or train.precision, dls.device, model, "train.precision =", trained=True)
    accelerator.prepare_for_training()
    learn = StageLearner(
        dls,
        model.to(dls.device).to(memory_format=torch.channels_last),
        loss_func=loss.to(dls.device).to(memory_format=torch.channels_last),
        opt_func=adamw,  # pyright: ignore[reportArgumentType] (fastai's hint names the class, it calls a function)
        wd=train.wd,
        train_bn=False,  # batch norm is frozen with the rest of the encoder
        splitter=parameter_groups,
        metrics=[*map(ImageMetric, metrics), *map(LossTerm, loss.names)],
        cbs=[
            Schedule(accumulate),
            LossContext(),
            FiniteSteps(),
            *([Balance()] if loss.config.balance == "always" else []),
            *([GradientAccumulation(items_in_step(train.stages[0]))] if accumulate > 1 else []),
            *([Clip(train.clip)] if train.clip is not None else []),
            *([Ema(train.ema)] if train.ema else []),
            *precision_callbacks(precision),
            *distributed_callbacks(dls.device),
        ],
    )
    learn.train_config, learn.precision, learn.get_stage_dls = train, precision, get_stage_dls
    learn.get_columns, learn.files = get_columns, files
    learn.recorder.smooth_loss, learn.recorder.loss = TrainLoss(accumulate), ValidLoss()
    return learn


def items_in_step(stage: StageConfig) -> int:
    """Crops that this process contributes to a step."""
    return stage.bs // processes.count()


def distributed_callbacks(device: torch.device) -> list[Callback]:
    if processes.count() == 1:
        return []
    from common.training.distributed import Distributed  # needs accelerate, which is optional

    return [Distributed(device)]


def without_progress_bars(learn: AnyLearner) -> AnyLearner:
    """Removes progress bars except on a terminal (elsewhere they print control characters) and fastai's table.

    `common.runs.callbacks.History` logs the epochs instead.
    """
    learn.logger = noop
    learn.create_mbar = False  # the bar of epochs: fastprogress fails if the first epoch it sees is not epoch 0
    if not sys.stdout.isatty() or not processes.is_main():
        learn.remove_cb(ProgressCallback)
    return learn
