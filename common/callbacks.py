"""What happens after each batch and epoch of training: loss terms and metrics, history, pictures, checkpoints."""

import logging
import math
import time

import pandas as pd
import torch
from fastai.callback.core import Callback
from fastai.callback.fp16 import MixedPrecision
from fastai.learner import AvgLoss, AvgMetric
from fastai.torch_core import find_bs

from common.files import written_whole
from common.grid import save_grid

log = logging.getLogger(__name__)


class TrainingDiverged(RuntimeError):
    """The loss became NaN or infinite; the message says when, in which terms, and what to try."""


class LossTerm(AvgLoss):
    """The mean over the validation photos of one weighted term of a `PerceptualLoss`, under its name."""

    def __init__(self, term):
        self.term = term

    @property
    def name(self):
        return self.term

    def accumulate(self, learn):
        n = find_bs(learn.yb)
        self.total += learn.loss_func.terms[self.term] * n
        self.count += n


class ImageMetric(AvgMetric):
    """The mean over the validation photos of function(pred, target) -> (N,), under the function's name."""

    def accumulate(self, learn):
        values = self.func(learn.pred, *learn.yb)
        self.total += values.sum()
        self.count += len(values)


class History(Callback):
    """Writes one row an epoch into `path` (CSV, over all stages) and prints it: every metric and loss term by name."""

    order = 61  # after Recorder has the epoch's values

    def __init__(self, path, stages):
        self.path, self.rows, self.stage, self.start = path, [], 0, time.time()
        self.n_epochs = sum(stage.epochs for stage in stages)

    def before_fit(self):
        self.stage += 1

    def after_epoch(self):
        names, values = list(self.recorder.metric_names)[1:-1], list(self.recorder.log)[1:-1]
        row = {"epoch": len(self.rows) + 1, "stage": self.stage, **dict(zip(names, values, strict=True))}
        row["seconds"] = round(time.time() - self.recorder.start_epoch, 2)
        self.rows.append(row)
        with written_whole(self.path) as temporary:
            pd.DataFrame(self.rows).to_csv(temporary, index=False)
        shown = "  ".join(f"{name} {value:.4f}" for name, value in zip(names, values, strict=True))
        elapsed = time.time() - self.start
        left = elapsed / len(self.rows) * (self.n_epochs - len(self.rows))
        log.info("epoch %d/%d  %s  %s, about %s left", row["epoch"], self.n_epochs, shown, clock(elapsed), clock(left))


def clock(seconds):
    """Seconds as h:mm:ss or m:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class Pictures(Callback):
    """After each epoch saves `folder/epoch_001.png`: the same validation photos, in columns that a function makes.

    get_columns(x, pred, target) -> {label: (N, 3, H, W) in [0, 1]}, as `common.grid.draw_grid` takes.
    """

    order = 62

    def __init__(self, folder, get_columns, n=4):
        self.folder, self.get_columns, self.n, self.count = folder, get_columns, n, 0
        self.folder.mkdir(parents=True, exist_ok=True)

    def after_batch(self):
        if not self.training and self.iter == 0:
            batch = (self.xb[0], self.pred, self.yb[0])
            self.columns = self.get_columns(*(t[: self.n].detach().as_subclass(torch.Tensor).float() for t in batch))

    def after_epoch(self):
        self.count += 1
        save_grid(self.folder / f"epoch_{self.count:03}.png", self.columns)


class Checkpoints(Callback):
    """Saves the model after each epoch: `last.safetensors`, and `best.safetensors` at the lowest validation loss.

    save(path, model) writes one model file. Raises TrainingDiverged at the first loss that is not finite, in training
    or validation, before anything is overwritten.
    """

    order = 63

    def __init__(self, folder, save):
        self.folder, self.save, self.best_loss, self.epochs = folder, save, math.inf, 0
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def best(self):
        return self.folder / "best.safetensors"

    @property
    def last(self):
        return self.folder / "last.safetensors"

    def after_loss(self):
        if not torch.isfinite(self.learn.loss):
            terms = ", ".join(f"{name} {value.item():.4g}" for name, value in self.learn.loss_func.terms.items())
            kept = f"the last good weights are in {self.last}" if self.last.exists() else "no epoch was finished yet"
            raise TrainingDiverged(
                f"the loss is {self.learn.loss.item()} in epoch {self.epochs + 1}, batch {self.iter + 1} ({terms}); "
                f"{kept}. Try a lower train.stages.*.lr, train.precision=fp32, or less of the term that is not finite."
            )

    def after_epoch(self):
        self.epochs += 1
        self.save(self.last, self.learn.model)
        loss = self.recorder.final_record[1]
        if loss < self.best_loss:
            self.best_loss = loss
            self.save(self.best, self.learn.model)


class BFloat16(Callback):
    """The forward pass in bfloat16 autocast, on any device; the loss stays in float32. It needs no gradient scaling."""

    def before_batch(self):
        self.autocast = torch.autocast(self.dls.device.type, dtype=torch.bfloat16)
        self.autocast.__enter__()

    def after_pred(self):
        self.autocast.__exit__(None, None, None)
        self.learn.pred = self.pred.float()


def precision_callbacks(precision):
    """The callbacks for 'fp32', 'fp16' (on CUDA) or 'bf16'."""
    return {"fp32": [], "fp16": [MixedPrecision()], "bf16": [BFloat16()]}[precision]
