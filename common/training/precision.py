"""The precision of a training."""

from typing import Any

import torch
from fastai.callback.core import Callback
from fastai.callback.fp16 import MixedPrecision

from common.config.sections import TaskConfig
from common.runtime.errors import UserError
from common.runtime.precision import choose


def choose_precision(config: TaskConfig, device: torch.device) -> str:
    """'fp32', 'fp16' or 'bf16': what `train.precision` asks for, or for `auto` the best on the device.

    Raises UserError if the device does not support it.
    """
    precision = choose(config.train.precision, device, config.works_in_fp16)
    if precision == "fp16" and device.type != "cuda":
        raise UserError(f"train.precision = fp16: needs a CUDA GPU, this run is on {device}; set auto, fp32 or bf16")
    return precision


class BFloat16(Callback):
    """Runs the network and the loss in bfloat16 autocast, on any device. It needs no gradient scaling."""

    learn: Any  # a StageLearner
    autocast: torch.autocast | None = None  # while it is on

    def before_batch(self) -> None:
        self.autocast = torch.autocast(self.dls.device.type, dtype=torch.bfloat16)
        self.autocast.__enter__()

    def after_pred(self) -> None:
        self.learn.pred = self.pred.float()

    def after_loss(self) -> None:
        self.leave()

    def leave(self) -> None:
        """Ends autocast, if it is on. `StageLearner` calls it after an error in between, too."""
        if self.autocast is not None:
            self.autocast.__exit__(None, None, None)
            self.autocast = None


class Float16(MixedPrecision):
    """fastai's float16 autocast with gradient scaling, on CUDA; it ends autocast after an error, too."""

    entered = False

    def before_batch(self) -> None:
        super().before_batch()
        self.entered = True

    def after_loss(self) -> None:
        self.leave()

    def leave(self) -> None:
        """Ends autocast, if it is on."""
        if self.entered:
            super().after_loss()
            self.entered = False


def precision_callbacks(precision: str) -> list[Callback]:
    """The callbacks for 'fp32', 'fp16' (on CUDA) or 'bf16'."""
    return {"fp32": [], "fp16": [Float16()], "bf16": [BFloat16()]}[precision]
