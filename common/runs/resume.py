"""Resuming a training as if it had never stopped: what is saved for that, and what may change in between."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fastai.callback.core import Callback

from common.config.sections import TaskConfig
from common.models.format_2 import with_new_names
from common.runtime import processes
from common.runtime.errors import TrainingStopped, UserError
from common.runtime.files import atomic_write
from common.runtime.interrupt import StopRequest
from common.training.ema import model_in_training

FORMAT_VERSION = 2  # 1: the U-Net's weights had fastai's names
RESUME_FILE = "checkpoints/resume.pt"  # below the run folder
START_POSITION = {"stage": 0, "epoch": 0, "step": 0}

RESUMABLE_KEYS = {  # keys that may change between stop and resume, as they change neither data nor schedule
    "data.path": "where the same photos are now",
    "data.low": "where the same files are now",
    "loss.vgg": "where the same file is now",
    "train.device": "",
    "train.precision": "",
    "train.workers": "",
    "train.accumulate": "",
    "train.checkpoint_minutes": "",
    "train.tensorboard": "",
}


class ResumePoint(Callback):
    """Saves all that the rest of the training depends on, after each epoch, every `minutes`, and when asked to stop.

    That is: weights, optimizer, gradient scaler, position in the schedule, running training loss, and the state of
    callbacks with `state_dict` and `load_state_dict`. Random numbers follow from the position (see `SeededDL`).
    The main process writes the file, and replaces it only when the next one is complete and on the disk.

    accumulate: batches that make a step; training never stops between them.
    """

    order = 64  # after all others have done their part of a batch or an epoch
    learn: Any  # a StageLearner

    def __init__(self, path: str | Path, minutes: float, accumulate: int, request: StopRequest) -> None:
        self.path, self.minutes, self.accumulate, self.request = Path(path), minutes, accumulate, request
        self.state: dict[str, Any] | None = None
        self.saved_at = time.monotonic()

    def restore(self, state: dict[str, Any]) -> None:
        """Loads a saved state into the learner, before its fit."""
        self.learn.model.load_state_dict(state["model"])
        self.learn.opt.load_state_dict(state["optimizer"])
        for name, values in state["callbacks"].items():
            getattr(self.learn, name).load_state_dict(values)
        self.learn.start = state["epoch"], state["step"] * self.accumulate
        self.state = state

    def before_fit(self) -> None:
        if self.state is not None and self.state["stage"] == self.learn.stage:  # fastai resets these in each fit
            self.recorder.smooth_loss.load_state_dict(self.state["train_loss"])
            if self.recorder.smooth_loss.count:
                self.learn.smooth_loss = self.recorder.smooth_loss.value
            self.learn.train_iter = self.learn.start[0] * len(self.dls.train) + self.learn.start[1]
            if self.state["scaler"] and getattr(self.learn, "scaler", None):
                self.learn.scaler.load_state_dict(self.state["scaler"])
        self.state = None

    def after_batch(self) -> None:
        if self.training and (self.iter + 1) % self.accumulate:
            return
        if not self.training and processes.count() > 1:  # they may have unequal numbers of batches: after_epoch checks
            return
        stop = self.stop_requested()
        if stop or (self.training and time.monotonic() - self.saved_at > 60 * self.minutes):
            self.save(self.epoch, self.iter + 1 if self.training else len(self.dls.train))
        if stop:
            moment = f"after {self.iter + 1} of {self.n_iter} batches" if self.training else "during validation"
            raise TrainingStopped(f"stopped in epoch {len(self.history.rows) + 1}, {moment}", 130)

    def after_train(self) -> None:
        if processes.count() > 1:  # during validation no stop is seen until its end, which may be too late for torchrun
            self.save(self.epoch, len(self.dls.train))
            if self.stop_requested():
                raise TrainingStopped(f"stopped at the end of epoch {len(self.history.rows) + 1}", 130)

    def after_epoch(self) -> None:
        self.save(self.epoch + 1, 0)
        if self.stop_requested():
            raise TrainingStopped(f"stopped after epoch {len(self.history.rows)}", 130)

    def stop_requested(self) -> bool:
        """Whether any process was asked to stop."""
        return processes.all_reduce_sum([float(self.request.asked)])[0] > 0

    def save(self, epoch: int, batch: int) -> None:
        """Saves the state in which `epoch` epochs of the stage, and `batch` batches of the next, are done."""
        self.saved_at = time.monotonic()
        if not processes.is_main():
            return
        learn = self.learn
        state = {
            "format_version": FORMAT_VERSION,
            "stage": learn.stage,
            "epoch": epoch,
            "step": batch // self.accumulate,
            "model": model_in_training(learn).state_dict(),
            "optimizer": to_python_numbers(learn.opt.state_dict()),
            "scaler": learn.scaler.state_dict() if getattr(learn, "scaler", None) else None,
            "train_loss": self.recorder.smooth_loss.state_dict(),
            # type(cb), because a callback forwards what it lacks to its learner, whose model has a state_dict
            "callbacks": {cb.name: cb.state_dict() for cb in learn.cbs if hasattr(type(cb), "state_dict")},
        }
        # Python opens the file: given a path, torch does not report why writing failed.
        with atomic_write(self.path) as temporary, temporary.open("wb") as file:
            torch.save(state, file)


def to_python_numbers(value: Any) -> Any:
    """Replaces the NumPy numbers that fastai's schedule puts in by Python's: only those load without pickle."""
    if isinstance(value, dict):
        return {key: to_python_numbers(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(to_python_numbers, value))
    return value.item() if isinstance(value, np.generic) else value


def read_resume_point(path: Path) -> dict[str, Any] | None:
    """Returns what ResumePoint saved, on the CPU, or None if there is no such file. Runs no code from the file.

    Raises UserError if the file is broken or was written by a newer version.
    """
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        version = state["format_version"]
    except Exception as error:  # torch has many errors for broken files, and some advise to run the file's code
        raise UserError(f"{path}: broken, or not what --resume saves; delete it to train from the beginning") from error
    if version > FORMAT_VERSION:
        raise UserError(f"{path}: written by a newer version of the program (format {version}): update the program")
    if not {*START_POSITION, "model", "optimizer", "scaler", "train_loss", "callbacks"} <= state.keys():
        raise UserError(f"{path}: broken, or not what --resume saves; delete it to train from the beginning")
    state["model"] = with_new_names(state["model"])
    state["callbacks"] = {name: with_new_names(values) for name, values in state["callbacks"].items()}
    return state


def check_changes(old: TaskConfig, new: TaskConfig, position: Mapping[str, int], run: Path) -> list[str]:
    """Returns a line 'key: old -> new' for each difference between the configs. Raises UserError if one is not allowed.

    old, new: configs of a task. position: 'stage', 'epoch' and 'step' that the run has reached.
    """
    before, now = flatten_keys(old.model_dump(mode="json")), flatten_keys(new.model_dump(mode="json"))
    changed = [key for key in {**before, **now} if before.get(key) != now.get(key) and not key.startswith("output.")]
    lines = {key: f"{key}: {before.get(key, 'none')} -> {now.get(key, 'none')}" for key in changed}
    refused = [lines[key] for key in changed if not may_change(key, old, new, position)]
    if refused:
        allowed = ", ".join(f"{key}{note and f' ({note})'}" for key, note in RESUMABLE_KEYS.items() if key in now)
        raise UserError(
            f"{run}: was not trained with these, so it cannot continue with them:\n       "
            + "\n       ".join(refused)
            + f"\n       What may change: {allowed}; epochs of the current stage and of later ones "
            f"(train.stages.{position['stage']}.epochs, at least {position['epoch']}), and more stages, with crops no "
            "larger. Anything else is a new run, without --resume"
        )
    return list(lines.values())


def may_change(key: str, old: TaskConfig, new: TaskConfig, position: Mapping[str, int]) -> bool:
    """Whether a resumed run may change this key, given the position that it has reached."""
    if key == "loss.vgg":
        return not {old.loss.vgg, new.loss.vgg} & {"torchvision", "random"}
    if key in RESUMABLE_KEYS:
        return True
    if not key.startswith("train.stages."):
        return False
    index, name = int(key.split(".")[2]), key.split(".")[3]
    if index >= len(new.train.stages) or new.train.largest_crop() != old.train.largest_crop():
        return False
    if index >= len(old.train.stages):
        return True
    min_epochs = position["epoch"] + (position["step"] > 0) if index == position["stage"] else 1
    return name == "epochs" and index >= position["stage"] and new.train.stages[index].epochs >= min_epochs


def flatten_keys(values: Mapping[str, Any] | Sequence[Any], prefix: str = "") -> dict[str, Any]:
    """{'a': {'b': [1]}} -> {'a.b.0': 1}."""
    items = values.items() if isinstance(values, Mapping) else enumerate(values)
    result: dict[str, Any] = {}
    for key, value in items:
        if isinstance(value, dict | list) and value:
            result |= flatten_keys(value, f"{prefix}{key}.")
        else:
            result[f"{prefix}{key}"] = value
    return result
