"""fastai's loader, with batches that follow from the seed, the epoch and their number alone."""

import random
import signal
import weakref
from collections.abc import Callable, Generator, Iterator
from copy import copy
from itertools import count
from typing import Any, cast

import torch
from fastai.data.core import TfmdDL
from fastai.torch_core import to_device
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter, _SingleProcessDataLoaderIter

from common.runtime import processes
from common.runtime.errors import TrainingStopped
from common.runtime.interrupt import stop_signals
from common.runtime.seeds import derive_seed, seed_everything, temporary_seed

MAX_KEPT = 2**30  # bytes of held-out photos in memory


class SeedGenerator(torch.Generator):
    """A torch.Generator that workers may be sent: with spawn, torch pickles the loader for them, and none uses it."""

    def __reduce__(self) -> Any:
        return SeedGenerator, ()


class SeededDL(TfmdDL):
    """A TfmdDL whose order, crops and noise do not depend on what was loaded before, nor on who loads it.

    Training can therefore begin at any batch, and neither the number of workers nor that of processes changes what a
    step sees. `step_bs` items make a step, in batches of `bs`, which the processes deal out among each other. Only
    noise that is drawn for a whole batch differs with the number of processes.

    Set `epoch` before each, and `first`, the number of the first batch, to begin later. Loading processes go on from
    epoch to epoch.
    """

    seed: int = 0
    epoch: int = 0
    first: int = 0
    step_bs: int | None = None
    steps: int | None = None
    kept: list[Any] | None = None  # of held-out photos: the batches, once they were loaded
    iterator: Any = None  # torch's, with the loading processes
    end_of_workers: Callable[[], object] = staticmethod(lambda: None)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.place = torch.zeros(2, dtype=torch.int64).share_memory_()  # epoch and first, for the loading processes
        super().__init__(*args, **kwargs)
        self.fake_l.persistent_workers = True  # pyright: ignore[reportAttributeAccessIssue]

    def seed_with(self, seed: int, step_bs: int | None = None, steps: int | None = None) -> None:
        """Sets the seed and, for training, how many items make a step, and how many steps an epoch, if not all."""
        self.seed, self.step_bs, self.steps = seed, step_bs, steps
        # torch draws its workers' seeds here, not where batches draw theirs.
        self.fake_l.generator = SeedGenerator()  # pyright: ignore[reportAttributeAccessIssue]  # None in fastai's class

    def get_idxs(self) -> list[int]:
        """The items of this process, batch by batch."""
        idxs = list(range(self.n))
        if self.shuffle:
            random.Random(derive_seed(self.seed, self.epoch)).shuffle(idxs)
        del idxs[self.items_of_epoch() :]
        batches = [idxs[i : i + self.bs] for i in range(0, len(idxs), self.bs)]
        mine = batches[processes.rank() :: processes.count()]
        return [i for batch in mine[self.first :] for i in batch]

    def items_of_epoch(self) -> int:
        """Of all processes: those of whole steps."""
        if not self.step_bs:
            return self.n
        return min(self.n // self.step_bs, self.steps or self.n) * self.step_bs

    def __len__(self) -> int:
        return len(range(processes.rank(), -(-self.items_of_epoch() // self.bs), processes.count()))

    def __iter__(self) -> Generator[Any, Any, None]:
        self.before_iter()
        for transform in self.after_batch.fs:
            if hasattr(transform, "position"):  # what it draws for a photo follows from this
                transform.position = (self.seed, self.epoch)
        loaded = self.kept if self.kept is not None else self.load()
        for batch_number in count(self.first):
            seed_everything(self.seed, self.epoch, "batch", batch_number, processes.rank())
            try:
                batch = next(loaded) if isinstance(loaded, Iterator) else loaded[batch_number]
            except (StopIteration, IndexError):
                return
            except Exception as error:
                self.stop_workers()
                if isinstance(error, TrainingStopped):  # from a worker, torch gives it with a traceback in its message
                    message = str(error).rstrip().splitlines()[-1].split(": ", 1)[-1]
                    raise TrainingStopped(message, status=2) from None
                raise
            yield self.after_batch(batch if self.device is None else to_device(batch, self.device))

    def load(self) -> Generator[Any, Any, None]:
        """The batches of the epoch on the CPU, before `after_batch`. Those of held-out photos are kept for the next."""
        self.place[:] = torch.tensor([self.epoch, self.first])
        kept: list[Any] = []
        room = 0 if self.shuffle or self.first else MAX_KEPT
        for batch in self.workers():
            loaded = tuple(batch) if isinstance(batch, list) else batch  # pinning makes lists of tuples
            if room > 0:
                kept.append(loaded)
                room -= sum(part.numel() * part.element_size() for part in loaded)
            yield loaded
        if room > 0:
            self.kept = kept
            self.stop_workers()

    def workers(self) -> Iterator[Any]:
        """What gives the batches: the processes of the epoch before, if there were any, begin again."""
        if self.fake_l.num_workers == 0:
            return _SingleProcessDataLoaderIter(cast(Any, self.fake_l))
        if self.iterator is not None:
            self.iterator._reset(self.fake_l)
            return self.iterator
        # Of a twin: Python ends a loader that nobody uses any more, and with it the processes, if they do not use it.
        vars(self).pop("it", None)  # fastai's, of a pass that was broken off: it cannot be sent
        twin, fake = copy(self), cast(Any, copy(self.fake_l))
        fake.d, fake.dataset = twin, fake
        self.iterator = _MultiProcessingDataLoaderIter(fake)
        self.end_of_workers = weakref.finalize(self, self.iterator._shutdown_workers)
        return self.iterator

    def stop_workers(self) -> None:
        """Ends the loading processes, if there are any; the next epoch starts others."""
        self.end_of_workers()
        self.iterator = None

    def sample(self) -> Generator[Any, Any, None]:
        """The items that this process loads: all, or in a worker its share of the batches."""
        self.epoch, self.first = self.place.tolist()  # in a worker they are those of its start
        for number, item in enumerate(self.get_idxs()):
            if number // self.bs % self.num_workers == self.offs:
                yield item

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

    def _one_pass(self) -> None:
        self.before_iter()  # which says whose photos they are, those to train on or those held out: to crop them so
        super()._one_pass()

    def wif(self) -> None:
        # Ctrl-C reaches the workers too, but the main process finishes its step first, and needs them for it.
        for stop in stop_signals():
            signal.signal(stop, signal.SIG_IGN)
