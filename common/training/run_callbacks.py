"""What a run writes into its folder after each epoch: history, pictures, checkpoints. The main process writes it."""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from fastai.callback.core import Callback
from torch import Tensor, nn

from common.config.sections import StageConfig
from common.evaluation.grid import save_grid
from common.runtime import processes
from common.runtime.durations import format_duration
from common.runtime.errors import TrainingDiverged, TrainingStopped
from common.runtime.files import atomic_write
from common.training.ema import model_to_save
from common.training.precision import Float16

log = logging.getLogger(__name__)

MakeColumns = Callable[[Tensor, Tensor, Tensor], Mapping[str, Tensor]]
"""(x, pred, target) -> {label: (N, 3, H, W) in [0, 1]}, as `common.evaluation.grid.draw_grid` takes them."""

SaveModel = Callable[[Path, nn.Module], None]
"""Writes one model file."""

MAX_SKIPPED = 10  # steps in a row whose loss overflows in fp16; the scale is then a thousandth of what it was


class History(Callback):
    """Writes one row per epoch into `path` (CSV, all stages) and logs it: every metric and loss term by name."""

    order = 61  # after Recorder has the epoch's values
    learn: Any  # a StageLearner

    def __init__(self, path: Path, stages: Sequence[StageConfig]) -> None:
        self.path, self.began = path, time.time()
        self.rows: list[dict[str, Any]] = []
        self.n_epochs = sum(stage.epochs for stage in stages)

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "seconds": time.time() - self.began}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.rows, self.began = state["rows"], time.time() - state["seconds"]

    def after_epoch(self) -> None:
        names, values = list(self.recorder.metric_names)[1:-1], list(self.recorder.log)[1:-1]
        if None in values:
            raise TrainingStopped("none of the held-out photos can be read any more", status=2)
        row = {"epoch": len(self.rows) + 1, "stage": self.learn.stage + 1, **dict(zip(names, values, strict=True))}
        row["seconds"] = round(time.time() - self.recorder.start_epoch, 2)
        self.rows.append(row)
        if not processes.is_main():
            return
        with atomic_write(self.path) as temporary:
            pd.DataFrame(self.rows).to_csv(temporary, index=False)
        metrics = "  ".join(f"{name} {value:.4f}" for name, value in zip(names, values, strict=True))
        elapsed = time.time() - self.began
        left = elapsed / len(self.rows) * (self.n_epochs - len(self.rows))
        log.info(
            "epoch %d/%d  %s  %s, about %s left",
            row["epoch"],
            self.n_epochs,
            metrics,
            format_duration(elapsed),
            format_duration(left),
        )


class Pictures(Callback):
    """After each epoch saves `folder/epoch_001.png`: the same n validation photos, in the columns of `get_columns`."""

    order = 62

    def __init__(self, folder: Path, get_columns: MakeColumns, n: int = 4) -> None:
        self.folder, self.get_columns, self.n = folder, get_columns, n
        self.folder.mkdir(parents=True, exist_ok=True)

    def after_batch(self) -> None:
        if not self.training and self.iter == 0:
            batch = (self.xb[0], self.pred, self.yb[0])
            self.columns = self.get_columns(*(t[: self.n].detach().as_subclass(Tensor).float() for t in batch))

    def after_epoch(self) -> None:
        if processes.is_main():
            save_grid(self.folder / f"epoch_{len(self.history.rows):03}.png", self.columns)


class Checkpoints(Callback):
    """Saves the model after each epoch: `last.safetensors`, and `best.safetensors` at the lowest validation loss.

    Raises TrainingDiverged at the first loss that is not finite, in training or validation, before anything is
    overwritten. In fp16 some are to be expected: the gradient scaler skips these steps, so only MAX_SKIPPED in a row
    count as diverged.
    """

    order = 63
    learn: Any  # a StageLearner

    def __init__(self, folder: Path, save: SaveModel) -> None:
        self.folder, self.save, self.best_loss, self.skipped = folder, save, math.inf, 0
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def best(self) -> Path:
        return self.folder / "best.safetensors"

    @property
    def last(self) -> Path:
        return self.folder / "last.safetensors"

    def state_dict(self) -> dict[str, Any]:
        return {"best_loss": self.best_loss}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.best_loss = state["best_loss"]

    def after_loss(self) -> None:
        finite = torch.isfinite(self.learn.loss).item()
        if self.training:
            self.skipped = 0 if finite else self.skipped + 1
        in_fp16 = any(isinstance(callback, Float16) for callback in self.learn.cbs)
        if not finite and not (self.training and in_fp16 and self.skipped <= MAX_SKIPPED):
            terms = ", ".join(f"{name} {value.item():.4g}" for name, value in self.learn.loss_func.terms.items())
            weights = f"the last good weights are in {self.last}" if self.last.exists() else "no epoch is finished yet"
            epoch = len(self.history.rows) + 1
            moment = (
                f"in epoch {epoch}, batch {self.iter + 1}" if self.training else f"on held-out photos, epoch {epoch}"
            )
            raise TrainingDiverged(
                f"the loss is {self.learn.loss.item()} {moment} ({terms}); {weights}. Start again with a lower "
                "train.stages.*.lr, train.precision=fp32, or a lower weight of the term that is not finite."
            )

    def after_epoch(self) -> None:
        if not processes.is_main():
            return
        model = model_to_save(self.learn)
        self.save(self.last, model)
        loss = self.recorder.final_record[1]
        if loss < self.best_loss:
            self.best_loss = loss
            self.save(self.best, model)
