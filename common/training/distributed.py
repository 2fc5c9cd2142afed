"""fastai's callback for several processes, adapted to our loaders. It needs the package accelerate."""

import warnings
from typing import Any

import torch
import torch.distributed
from fastai.distributed import DistributedTrainer

from common.runtime.processes import unwrap_model


class Distributed(DistributedTrainer):
    """fastai's callback, for loaders that divide batches among the processes themselves (`common.batches.loader`).

    fastai's DistributedDL would give each process its own part of the photos, so that batches depend on the number of
    processes, and it needs CUDA. Batch norm's statistics are those of the main process. Validation runs on the
    unwrapped model: processes may have unequal numbers of batches, and a wrapped model waits for the others at each.
    """

    learn: Any  # a StageLearner

    def __init__(self, device: torch.device) -> None:
        # For the gradient of a 1 x 1 convolution, channels-last and contiguous are the same, but torch warns.
        warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
        super().__init__(sync_bn=False, cpu=device.type == "cpu", mixed_precision="no")  # our callbacks set precision

    def _wrap_dl(self, dl: Any) -> Any:
        return dl

    def before_batch(self) -> None:
        if self.training:  # of the parts of a step, only the last one's gradients are sent: they are the sum of all
            last = (self.iter + 1) % self.learn.train_config.accumulate == 0
            self.learn.model.require_backward_grad_sync = last  # what DDP's `no_sync` sets

    def before_validate(self) -> None:
        self.wrapped, self.learn.model = self.learn.model, unwrap_model(self.learn.model)
        for buffer in self.learn.model.buffers():
            torch.distributed.broadcast(buffer, src=0)

    def after_validate(self) -> None:
        self.learn.model = self.wrapped
