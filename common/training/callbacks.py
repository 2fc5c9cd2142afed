"""What happens after each batch and epoch of training: loss terms and metrics, history, pictures, checkpoints.

Of several processes all measure their part of the held-out photos, and the main one writes.
"""

import logging
import math
import time

import pandas as pd
import torch
from fastai.callback.core import Callback
from fastai.callback.fp16 import MixedPrecision
from fastai.learner import AvgMetric, AvgSmoothLoss
from fastai.torch_core import find_bs, to_detach

from common.evaluation.grid import save_grid
from common.runtime import processes
from common.runtime.errors import TrainingDiverged, UserError
from common.runtime.files import atomic_write
from common.training.ema import model_to_save

log = logging.getLogger(__name__)


class ImageMetric(AvgMetric):
    """The mean over the validation photos, of all processes, of function(pred, target) -> (N,), under its name."""

    def accumulate(self, learn):
        values = self.func(learn.pred, *learn.yb)
        self.add(values.sum(), len(values))

    def add(self, total, n):
        self.total += total.item()
        self.count += n

    @property
    def value(self):
        total, n = processes.all_reduce_sum([self.total, self.count])
        if n == 0:
            raise UserError("none of the held-out photos can be read any more")
        return total / n


class LossTerm(ImageMetric):
    """The same of one weighted term of a `PerceptualLoss`, under the term's name."""

    def __init__(self, term):
        self.term = term

    @property
    def name(self):
        return self.term

    def accumulate(self, learn):
        n = find_bs(learn.yb)
        self.add(learn.loss_func.terms[self.term] * n, n)


class ValidLoss(ImageMetric):
    """The same of the whole loss, in the place of fastai's AvgLoss, which weighs the processes' last batches alike."""

    name = "loss"

    def __init__(self):
        super().__init__(None)

    def accumulate(self, learn):
        n = find_bs(learn.yb)
        self.add(learn.loss.detach() * n, n)


class TrainLoss(AvgSmoothLoss):
    """fastai's smoothed training loss, of steps that may be worked off in `accumulate` batches."""

    def __init__(self, accumulate):
        super().__init__()
        self.parts, self.n_parts = [], accumulate

    def accumulate(self, learn):
        self.parts.append(to_detach(learn.loss.mean()))  # the mean of all processes
        if len(self.parts) == self.n_parts:
            self.count += 1
            self.val = torch.lerp(torch.stack(self.parts).mean(), self.val, self.beta)
            self.parts = []

    @property
    def value(self):
        return super().value if self.count else torch.stack(self.parts).mean()

    def state_dict(self):
        return {"count": self.count, "value": self.val}

    def load_state_dict(self, state):
        self.count, self.val = state["count"], state["value"]


class Schedule(Callback):
    """Where the one-cycle schedule is, from the epoch and the step, wherever the fit began (fastai adds up parts).

    The batches of one step share its learning rate.
    """

    order, run_valid = 59, False  # before ParamScheduler

    def __init__(self, accumulate):
        self.batches = accumulate

    def before_batch(self):
        done = self.iter // self.batches * self.batches
        self.learn.pct_train = (self.epoch + done / self.n_iter) / self.n_epoch
        self.learn.train_iter = self.epoch * self.n_iter + self.iter


class History(Callback):
    """Writes one row an epoch into `path` (CSV, over all stages) and prints it: every metric and loss term by name."""

    order = 61  # after Recorder has the epoch's values

    def __init__(self, path, stages):
        self.path, self.rows, self.began = path, [], time.time()
        self.n_epochs = sum(stage.epochs for stage in stages)

    def state_dict(self):
        return {"rows": self.rows, "seconds": time.time() - self.began}

    def load_state_dict(self, state):
        self.rows, self.began = state["rows"], time.time() - state["seconds"]

    def after_epoch(self):
        names, values = list(self.recorder.metric_names)[1:-1], list(self.recorder.log)[1:-1]
        row = {"epoch": len(self.rows) + 1, "stage": self.learn.stage + 1, **dict(zip(names, values, strict=True))}
        row["seconds"] = round(time.time() - self.recorder.start_epoch, 2)
        self.rows.append(row)
        if not processes.is_main():
            return
        with atomic_write(self.path) as temporary:
            pd.DataFrame(self.rows).to_csv(temporary, index=False)
        shown = "  ".join(f"{name} {value:.4f}" for name, value in zip(names, values, strict=True))
        elapsed = time.time() - self.began
        left = elapsed / len(self.rows) * (self.n_epochs - len(self.rows))
        log.info(
            "epoch %d/%d  %s  %s, about %s left",
            row["epoch"],
            self.n_epochs,
            shown,
            format_duration(elapsed),
            format_duration(left),
        )


def format_duration(seconds):
    """Seconds as h:mm:ss or m:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class Pictures(Callback):
    """After each epoch saves `folder/epoch_001.png`: the same validation photos, in columns that a function makes.

    get_columns(x, pred, target) -> {label: (N, 3, H, W) in [0, 1]}, as `common.evaluation.grid.draw_grid` takes.
    """

    order = 62

    def __init__(self, folder, get_columns, n=4):
        self.folder, self.get_columns, self.n = folder, get_columns, n
        self.folder.mkdir(parents=True, exist_ok=True)

    def after_batch(self):
        if not self.training and self.iter == 0:
            batch = (self.xb[0], self.pred, self.yb[0])
            self.columns = self.get_columns(*(t[: self.n].detach().as_subclass(torch.Tensor).float() for t in batch))

    def after_epoch(self):
        if processes.is_main():
            save_grid(self.folder / f"epoch_{len(self.history.rows):03}.png", self.columns)


class Checkpoints(Callback):
    """Saves the model after each epoch: `last.safetensors`, and `best.safetensors` at the lowest validation loss.

    save(path, model) writes one model file. Raises TrainingDiverged at the first loss that is not finite, in training
    or validation, before anything is overwritten.
    """

    order = 63

    def __init__(self, folder, save):
        self.folder, self.save, self.best_loss = folder, save, math.inf
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def best(self):
        return self.folder / "best.safetensors"

    @property
    def last(self):
        return self.folder / "last.safetensors"

    def state_dict(self):
        return {"best_loss": self.best_loss}

    def load_state_dict(self, state):
        self.best_loss = state["best_loss"]

    def after_loss(self):
        if not torch.isfinite(self.learn.loss):
            terms = ", ".join(f"{name} {value.item():.4g}" for name, value in self.learn.loss_func.terms.items())
            kept = f"the last good weights are in {self.last}" if self.last.exists() else "no epoch was finished yet"
            raise TrainingDiverged(
                f"the loss is {self.learn.loss.item()} in epoch {len(self.history.rows) + 1}, batch {self.iter + 1} "
                f"({terms}); {kept}. Start anew with a lower train.stages.*.lr, train.precision=fp32, or less of the "
                "term that is not finite."
            )

    def after_epoch(self):
        if not processes.is_main():
            return
        model = model_to_save(self.learn)
        self.save(self.last, model)
        loss = self.recorder.final_record[1]
        if loss < self.best_loss:
            self.best_loss = loss
            self.save(self.best, model)


class BFloat16(Callback):
    """Network and loss in bfloat16 autocast, on any device; it needs no gradient scaling."""

    def before_batch(self):
        self.autocast = torch.autocast(self.dls.device.type, dtype=torch.bfloat16)
        self.autocast.__enter__()

    def after_pred(self):
        self.learn.pred = self.pred.float()

    def after_loss(self):
        self.autocast.__exit__(None, None, None)


def precision_callbacks(precision):
    """The callbacks for 'fp32', 'fp16' (on CUDA) or 'bf16'."""
    return {"fp32": [], "fp16": [MixedPrecision()], "bf16": [BFloat16()]}[precision]
