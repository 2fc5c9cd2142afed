"""fastai's callback for several processes, fitted to our loaders. It needs the package accelerate."""

import warnings

import torch
import torch.distributed
from fastai.distributed import DistributedTrainer

from common.runtime.processes import unwrap_model


class Distributed(DistributedTrainer):
    """fastai's callback, with loaders that divide batches themselves (`common.data.loader`): its DistributedDL gives each
    process another part of the photos, so that batches depend on how many there are, and needs CUDA.

    Batch norm's statistics are those of the main process. Validation runs on the model itself, as the processes may
    have unequal numbers of batches, and a wrapped model waits for the others at each.
    """

    def __init__(self, device):
        # Of a 1 x 1 convolution's gradient channels-last and contiguous are the same, only torch does not say so.
        warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
        super().__init__(sync_bn=False, cpu=device.type == "cpu", mixed_precision="no")  # precision is our callbacks'

    def _wrap_dl(self, dl):
        return dl

    def before_validate(self):
        self.wrapped, self.learn.model = self.learn.model, unwrap_model(self.learn.model)
        for buffer in self.learn.model.buffers():
            torch.distributed.broadcast(buffer, src=0)

    def after_validate(self):
        self.learn.model = self.wrapped
