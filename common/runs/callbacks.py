"""What a run writes into its folder after each epoch: history, pictures, checkpoints. The main process writes it."""

import logging
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from fastai.callback.core import Callback
from torch import Tensor

from common.config.sections import StageConfig
from common.evaluation.grid import save_grid
from common.runtime import processes
from common.runtime.durations import format_duration
from common.runtime.errors import TrainingStopped
from common.runtime.files import atomic_write, side_file
from common.training.ema import model_to_save
from common.training.finite_steps import loss_diverged
from common.training.learner import MakeColumns, SaveModel

log = logging.getLogger(__name__)


PULL = "pull_"  # before a term's name: its share of the pull on the picture


class History(Callback):
    """Writes one row per epoch into `path` (CSV, all stages) and logs it: every metric and loss term by name.

    With `loss.balance: always` the row has the terms' shares of the pull, too.

    Raises TrainingDiverged if the validation loss is not finite, before anything of the epoch is written.
    """

    order = 61  # after Recorder has the epoch's values
    learn: Any  # a StageLearner

    def __init__(self, path: Path, stages: Sequence[StageConfig]) -> None:
        self.path, self.began = path, time.time()
        self.rows: list[dict[str, Any]] = []
        self.epoch_began: float | None = None
        self.earlier = 0.0  # seconds of this epoch before the training was stopped
        self.n_epochs = sum(stage.epochs for stage in stages)

    def state_dict(self) -> dict[str, Any]:
        now = time.time()
        this_epoch = self.earlier + (0.0 if self.epoch_began is None else now - self.epoch_began)
        return {"rows": self.rows, "seconds": now - self.began, "seconds of this epoch": this_epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.rows, self.began = state["rows"], time.time() - state["seconds"]
        self.earlier = state.get("seconds of this epoch", 0.0)  # not of earlier versions

    def before_epoch(self) -> None:
        self.epoch_began = time.time()

    def after_epoch(self) -> None:
        names, values = list(self.recorder.metric_names)[1:-1], list(self.recorder.log)[1:-1]
        if None in values:
            raise TrainingStopped("none of the held-out photos can be read any more", status=2)
        row = {"epoch": len(self.rows) + 1, "stage": self.learn.stage + 1, **dict(zip(names, values, strict=True))}
        if not math.isfinite(row["valid_loss"]):
            terms = {name: row[name] for name in self.learn.loss_func.names}
            raise loss_diverged(self.learn, row["valid_loss"], f"on held-out photos, epoch {row['epoch']}", terms)
        if (balance := getattr(self.learn, "balance", None)) is not None:
            row |= {f"{PULL}{name}": share for name, share in balance.end_epoch().items()}
        row["skipped"] = skipped = self.finite_steps.total - sum(earlier.get("skipped", 0) for earlier in self.rows)
        row["seconds"] = round(self.earlier + time.time() - self.recorder.start_epoch, 2)
        self.earlier, self.epoch_began = 0.0, None
        self.rows.append(row)
        if not processes.is_main():
            return
        with side_file(self.path), atomic_write(self.path) as temporary:
            pd.DataFrame(self.rows).to_csv(temporary, index=False)
        metrics = "  ".join(f"{name} {value:.4f}" for name, value in zip(names, values, strict=True))
        elapsed = time.time() - self.began
        left = elapsed / len(self.rows) * (self.n_epochs - len(self.rows))
        log.info(
            "epoch %d/%d  %s  %s%s, about %s left",
            row["epoch"],
            self.n_epochs,
            metrics,
            f"{skipped} steps skipped (gradient not finite)  " if skipped else "",
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
            with side_file(self.folder):
                save_grid(self.folder / f"epoch_{len(self.history.rows):03}.png", self.columns)


class Checkpoints(Callback):
    """Saves the model after each epoch: `last.safetensors`, and `best.safetensors` at the lowest validation loss."""

    order = 63
    learn: Any  # a StageLearner

    def __init__(self, folder: Path, save: SaveModel) -> None:
        self.folder, self.save, self.best_loss = folder, save, math.inf
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

    def after_epoch(self) -> None:
        if not processes.is_main():
            return
        self.save(self.last, model_to_save(self.learn))
        loss = self.recorder.final_record[1]
        if loss < self.best_loss:
            self.best_loss = loss
            with atomic_write(self.best) as temporary:  # the same file under two names, until the next `last`
                try:
                    temporary.hardlink_to(self.last)
                except OSError:  # a drive without links
                    shutil.copyfile(self.last, temporary)
