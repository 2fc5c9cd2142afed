"""fastai's loader, with batches that follow from the seed, the epoch and their number alone."""

import random
import signal
from collections.abc import Generator
from typing import Any

import torch
from fastai.data.core import TfmdDL

from common.runtime import processes
from common.runtime.errors import TrainingStopped
from common.runtime.interrupt import stop_signals
from common.runtime.seeds import derive_seed, seed_everything, temporary_seed


class SeedGenerator(torch.Generator):
    """A torch.Generator that workers may be sent: with spawn, torch pickles the loader for them, and none uses it."""

    def __reduce__(self) -> Any:
        return SeedGenerator, ()


class SeededDL(TfmdDL):
    """A TfmdDL whose order, crops and noise do not depend on what was loaded before, nor on who loads it.

    Training can therefore begin at any batch, and neither the number of workers nor that of processes changes what a
    step sees. `step_bs` items make a step, in batches of `bs`, which the processes deal out among each other. Only
    noise that is drawn for a whole batch differs with the number of processes.

    Set `epoch` before each, and `first`, the number of the first batch, to begin later.
    """

    seed: int = 0
    epoch: int = 0
    first: int = 0
    step_bs: int | None = None

    def seed_with(self, seed: int, step_bs: int | None = None) -> None:
        """Sets the seed and, for training, how many items make a step."""
        self.seed, self.step_bs = seed, step_bs
        # torch draws its workers' seeds here, not where batches draw theirs.
        self.fake_l.generator = SeedGenerator()  # pyright: ignore[reportAttributeAccessIssue]  # None in fastai's class

    def get_idxs(self) -> list[int]:
        """The items of this process, batch by batch."""
        idxs = list(range(self.n))
        if self.shuffle:
            random.Random(derive_seed(self.seed, self.epoch)).shuffle(idxs)
        if self.step_bs:
            del idxs[self.n // self.step_bs * self.step_bs :]
        batches = [idxs[i : i + self.bs] for i in range(0, len(idxs), self.bs)]
        mine = batches[processes.rank() :: processes.count()]
        return [i for batch in mine[self.first :] for i in batch]

    def __len__(self) -> int:
        items = self.n // self.step_bs * self.step_bs if self.step_bs else self.n
        return len(range(processes.rank(), -(-items // self.bs), processes.count()))

    def __iter__(self) -> Generator[Any, Any, None]:
        batches = super().__iter__()
        batch_number = self.first
        for transform in self.after_batch.fs:
            if hasattr(transform, "position"):  # what it draws for a photo follows from this
                transform.position = (self.seed, self.epoch)
        while True:
            seed_everything(self.seed, self.epoch, "batch", batch_number, processes.rank())
            try:
                batch = next(batches)
            except StopIteration:
                return
            except TrainingStopped as error:  # from a worker, torch gives it with a traceback in its message
                raise TrainingStopped(str(error).rstrip().splitlines()[-1].split(": ", 1)[-1], status=2) from None
            yield batch
            batch_number += 1

    def do_item(self, s: int | None) -> Any:
        """Item number `s`; in training, one that cannot be read (SkipItemException) is replaced by the next that can,
        so that every process has the same number of batches."""
        for i in range(self.n if self.shuffle else 1):
            place = ((s or 0) + i) % self.n
            with temporary_seed(self.seed, self.epoch, place):
                item = super().do_item(place)
            if item is not None:
                return item
        if self.shuffle:
            raise TrainingStopped("none of the training photos can be read any more", status=2)
        return None

    def wif(self) -> None:
        # Ctrl-C reaches the workers too, but the main process finishes its step first, and needs them for it.
        for stop in stop_signals():
            signal.signal(stop, signal.SIG_IGN)
