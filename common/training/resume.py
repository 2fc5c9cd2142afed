"""Going on with a training as if it had never stopped: what is saved for that, and what may change meanwhile."""

import time
from pathlib import Path

import numpy as np
import torch
from fastai.callback.core import Callback

from common.runtime import processes
from common.runtime.errors import TrainingStopped, UserError
from common.runtime.files import atomic_write
from common.training.ema import model_in_training

FORMAT_VERSION = 1
RESUME_FILE = "checkpoints/resume.pt"  # below the run folder
START_POSITION = {"stage": 0, "epoch": 0, "step": 0}

RESUMABLE_KEYS = {  # keys that may change between stop and resume: data and schedule stay as they are
    "data.path": "where the same photos lie now",
    "loss.vgg": "where the same file lies now",
    "train.device": "",
    "train.precision": "",
    "train.workers": "",
    "train.accumulate": "",
    "train.checkpoint_minutes": "",
    "train.tensorboard": "",
}


class ResumePoint(Callback):
    """Saves all that the rest of the training depends on, after each epoch, every few minutes, and when asked to stop.

    Weights, optimizer, gradient scaler, where the schedule is, the running training loss, and what callbacks with
    `state_dict` and `load_state_dict` hold. Random numbers follow from the position (`common.data.loader`). The file is
    replaced when the next one is complete and on the disk, by the main process.

    request: `common.runtime.interrupt.StopRequest`. accumulate: batches that make a step; it never stops between them.
    """

    order = 64  # after all others have done their part of a batch or an epoch

    def __init__(self, path, minutes, accumulate, request):
        self.path, self.minutes, self.accumulate, self.request = Path(path), minutes, accumulate, request
        self.state, self.saved_at = None, time.monotonic()

    def restore(self, state):
        """Puts a saved state into the learner, before its fit."""
        self.learn.model.load_state_dict(state["model"])
        self.learn.opt.load_state_dict(state["optimizer"])
        for name, values in state["callbacks"].items():
            getattr(self.learn, name).load_state_dict(values)
        self.learn.start = state["epoch"], state["step"] * self.accumulate
        self.state = state

    def before_fit(self):
        if self.state is not None and self.state["stage"] == self.learn.stage:  # what fastai makes anew in each fit
            self.recorder.smooth_loss.load_state_dict(self.state["train_loss"])
            if self.recorder.smooth_loss.count:
                self.learn.smooth_loss = self.recorder.smooth_loss.value
            self.learn.train_iter = self.learn.start[0] * len(self.dls.train) + self.learn.start[1]
            if self.state["scaler"] and getattr(self.learn, "scaler", None):
                self.learn.scaler.load_state_dict(self.state["scaler"])
        self.state = None

    def after_batch(self):
        if self.training and (self.iter + 1) % self.accumulate:
            return
        if not self.training and processes.count() > 1:  # of unequal numbers of batches: ask after the epoch
            return
        stop = self.stop_asked()
        if stop or (self.training and time.monotonic() - self.saved_at > 60 * self.minutes):
            self.save(self.epoch, self.iter + 1 if self.training else len(self.dls.train))
        if stop:
            part = f"after {self.iter + 1} of {self.n_iter} batches" if self.training else "while it was measured"
            raise TrainingStopped(f"stopped in epoch {len(self.history.rows) + 1}, {part}", 130)

    def after_train(self):
        if processes.count() > 1:  # a stop that is asked for while it is measured comes late, and torchrun is impatient
            self.save(self.epoch, len(self.dls.train))
            if self.stop_asked():
                raise TrainingStopped(f"stopped at the end of epoch {len(self.history.rows) + 1}", 130)

    def after_epoch(self):
        self.save(self.epoch + 1, 0)
        if self.stop_asked():
            raise TrainingStopped(f"stopped after epoch {len(self.history.rows)}", 130)

    def stop_asked(self):
        """Whether any process was asked to."""
        return processes.all_reduce_sum([float(self.request.asked)])[0] > 0

    def save(self, epoch, batch):
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
            # of the class: asked for what it lacks, a callback answers with what its learner's model has
            "callbacks": {cb.name: cb.state_dict() for cb in learn.cbs if hasattr(type(cb), "state_dict")},
        }
        # A file of Python's: given a path, torch writes itself, and keeps to itself why that failed.
        with atomic_write(self.path) as temporary, temporary.open("wb") as file:
            torch.save(state, file)


def to_python_numbers(value):
    """The same with Python's numbers for NumPy's, which fastai's schedule puts in: only those load without pickle."""
    if isinstance(value, dict):
        return {key: to_python_numbers(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(to_python_numbers, value))
    return value.item() if isinstance(value, np.generic) else value


def read_resume_point(path):
    """What ResumePoint saved, on the CPU, or None if nothing was yet. Runs no code from the file.

    Raises UserError if the file is broken or of a newer version.
    """
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        version = state["format_version"]
    except Exception as error:  # torch fails in many ways on bytes that are not its own, and advises to run their code
        raise UserError(f"{path}: broken, or not what --resume saves; delete it to train from the beginning") from error
    if version > FORMAT_VERSION:
        raise UserError(f"{path}: written by a newer version of the program (format {version}): update the program")
    if not {*START_POSITION, "model", "optimizer", "scaler", "train_loss", "callbacks"} <= state.keys():
        raise UserError(f"{path}: broken, or not what --resume saves; delete it to train from the beginning")
    return state


def check_changes(old, new, position, run):
    """Returns lines 'key: old -> new' for a config that differs from the run's; UserError if it differs too much.

    old, new: resolved configs of a task. position: with 'stage' and 'epoch', what is done already.
    """
    before, now = flatten_keys(old.model_dump(mode="json")), flatten_keys(new.model_dump(mode="json"))
    changed = [key for key in {**before, **now} if before.get(key) != now.get(key) and not key.startswith("output.")]
    lines = {key: f"{key}: {before.get(key, 'none')} -> {now.get(key, 'none')}" for key in changed}
    refused = [lines[key] for key in changed if not may_change(key, old, new, position)]
    if refused:
        free = ", ".join(f"{key}{why and f' ({why})'}" for key, why in RESUMABLE_KEYS.items())
        raise UserError(
            f"{run}: was not trained with these, so it cannot go on with them:\n       "
            + "\n       ".join(refused)
            + f"\n       What may change: {free}; epochs of the stage at work and of later ones "
            f"(train.stages.{position['stage']}.epochs, at least {position['epoch']}), and more stages, with crops no "
            "larger. Anything else is a new run, without --resume"
        )
    return list(lines.values())


def may_change(key, old, new, position):
    if key == "loss.vgg":
        return not {old.loss.vgg, new.loss.vgg} & {"torchvision", "random"}
    if key in RESUMABLE_KEYS:
        return True
    if not key.startswith("train.stages."):
        return False
    number, name = int(key.split(".")[2]), key.split(".")[3]
    if number >= len(new.train.stages) or new.train.largest_crop() != old.train.largest_crop():
        return False
    if number >= len(old.train.stages):
        return True
    least = position["epoch"] + (position["step"] > 0) if number == position["stage"] else 1
    return name == "epochs" and number >= position["stage"] and new.train.stages[number].epochs >= least


def flatten_keys(values, prefix=""):
    """{'a': {'b': [1]}} -> {'a.b.0': 1}."""
    items = values.items() if isinstance(values, dict) else enumerate(values)
    result = {}
    for key, value in items:
        if isinstance(value, dict | list) and value:
            result |= flatten_keys(value, f"{prefix}{key}.")
        else:
            result[f"{prefix}{key}"] = value
    return result
