"""Training a Learner in stages, each one cycle."""

import logging
import sys
from functools import partial

import fastai.callback.schedule  # noqa: F401 (gives Learner its fit_one_cycle)
import torch
from fastai.imports import noop
from fastai.learner import Learner
from fastai.optimizer import OptimWrapper

from common.callbacks import Checkpoints, History, ImageMetric, LossTerm, Pictures, precision_callbacks
from common.errors import UserError
from common.unet import parameter_groups

log = logging.getLogger(__name__)

# torch's fused AdamW: one kernel for all parameters, on the CPU as on a GPU. (foreach must not be None: fastai's
# TensorBoard callback logs every hyperparameter as a number.)
adamw = partial(OptimWrapper, opt=torch.optim.AdamW, fused=True, foreach=False)


def resolve(train, pretrained, device):
    """A `common.config.TrainConfig` with everything that it leaves open decided for this device.

    Without a pretrained encoder nothing is worth freezing, so no stage does, with a warning.
    Raises UserError if the precision is not to be had on the device.
    """
    on_gpu = device.type == "cuda"
    precision = train.precision if train.precision != "auto" else "fp16" if on_gpu else "fp32"
    if precision == "fp16" and not on_gpu:
        raise UserError(f"train.precision = fp16: needs a CUDA GPU, this run is on {device}; set auto, fp32 or bf16")
    workers = train.workers if train.workers is not None else 8 if on_gpu else 0
    stages = train.stages
    if not pretrained and any(stage.frozen for stage in stages):
        log.warning("WARNING: model.pretrained = false: there is no trained encoder to keep, so frozen stages train it")
        stages = [stage.model_copy(update={"frozen": False}) for stage in stages]
    decided = {"device": str(device), "precision": precision, "workers": workers, "stages": stages}
    return train.model_copy(update=decided)


def get_learner(run, train, dls, model, loss, metrics, get_columns, save):
    """The fastai Learner of a run, which writes its history, pictures and checkpoints into the folder `run`.

    train: the resolved `common.config.TrainConfig`. metrics: functions (pred, target) -> (N,) on images in [0, 1].
    get_columns(x, pred, target) makes the columns of the pictures, save(path, model) a model file.
    """
    learn = Learner(
        dls,
        model.to(memory_format=torch.channels_last),
        loss_func=loss.to(memory_format=torch.channels_last),
        opt_func=adamw,
        train_bn=False,  # a frozen encoder is frozen whole
        splitter=parameter_groups,
        metrics=[*map(ImageMetric, metrics), *map(LossTerm, loss.names)],
        cbs=[
            History(run / "history.csv", train.stages),
            Pictures(run / "pictures", get_columns),
            Checkpoints(run / "checkpoints", save),
            *precision_callbacks(train.precision),
        ],
        path=run,
    )
    return quiet(learn)


def fit_stages(learn, train, get_dls):
    """Trains stage after stage of `train` (`common.config.TrainConfig`), each one `fit_one_cycle` on `get_dls(stage)`.

    The learner's splitter gives [encoder, rest]: a frozen stage trains the rest only, and a pair of learning rates is
    for those two. TensorBoard logs, if wanted, go into a folder a stage below the learner's path.
    """
    for number, stage in enumerate(train.stages, start=1):
        learn.dls = get_dls(stage)
        if stage.frozen:
            learn.freeze()
        else:
            learn.unfreeze()
        lr = slice(*stage.lr) if isinstance(stage.lr, list) else stage.lr
        boards = [tensorboard_callback(learn.path / f"tensorboard/stage_{number}")] if train.tensorboard else []
        try:
            learn.fit_one_cycle(stage.epochs, lr_max=lr, pct_start=stage.pct_start, wd=train.wd, cbs=boards)
        except KeyboardInterrupt:
            log.info("stopped; the models of the best and the last finished epoch are in %s", learn.path)
            raise


def tensorboard_callback(folder):
    from fastai.callback.tensorboard import TensorBoardCallback  # an optional package, checked by TrainConfig

    return TensorBoardCallback(folder, trace_model=False, log_preds=False)


def quiet(learn):
    """Progress bars only on a terminal (elsewhere they print control characters); no table, History has the epochs."""
    learn.logger = noop
    if not sys.stdout.isatty():
        learn.remove_cb(learn.progress)
    return learn
