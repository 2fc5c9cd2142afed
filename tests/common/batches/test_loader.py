import multiprocessing
import random
import signal

import fastai.data.load
import numpy as np
import pytest
import torch
from fastai.data.block import DataBlock, TransformBlock
from fastai.data.load import SkipItemException
from fasttransform import ItemTransform, Transform

from common.batches.loader import SeededDL
from common.runtime.errors import TrainingStopped
from common.runtime.interrupt import stop_signals
from common.runtime.seeds import derive_seed, temporary_seed


class Chance(Transform):
    """An item's number, and what Python, NumPy and torch draw for it."""

    def encodes(self, item: int):
        if item in BROKEN:
            raise SkipItemException
        return torch.tensor([item, random.random(), np.random.rand(), torch.rand(1).item()], dtype=torch.float64)


class BatchChance(ItemTransform):
    def encodes(self, batch):
        (x,) = batch
        return x, torch.rand(2)


BROKEN = set()


@pytest.fixture(autouse=True)
def all_whole():
    BROKEN.clear()


def loaders(bs=4, step_bs=4, workers=0, seed=1, n=22):
    block = DataBlock(TransformBlock(), item_tfms=Chance, batch_tfms=BatchChance, splitter=lambda items: splits(n))
    dls = block.dataloaders(list(range(n)), dl_type=SeededDL, bs=bs, num_workers=workers, device="cpu")
    dls.train.seed_with(seed, step_bs)
    dls.valid.seed_with(seed)
    return dls


def splits(n):
    return list(range(n - 5)), list(range(n - 5, n))


def batches(dl, epoch=0, first=0):
    dl.epoch, dl.first = epoch, first
    return [(x.tolist(), noise.tolist()) for x, noise in dl]


def test_batches_depend_on_seed_and_epoch_and_on_nothing_else():
    expected = batches(loaders().train, epoch=3)
    assert len(expected) == len(loaders().train) == 4  # of 17 items; the rest is no whole batch
    items = sorted(x[0] for batch, _ in expected for x in batch)
    assert len(set(items)) == 16
    torch.rand(7), random.random(), np.random.rand()
    other = loaders()
    batches(other.train, epoch=1), batches(other.valid)
    assert batches(other.train, epoch=3) == expected
    assert batches(other.train, epoch=4) != expected
    assert batches(loaders(seed=2).train, epoch=3) != expected


def test_workers_change_nothing():
    assert batches(loaders(workers=2).train, epoch=3) == batches(loaders().train, epoch=3)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_can_begin_at_any_batch(workers):
    dls = loaders(workers=workers)
    whole = batches(dls.train, epoch=3)
    for first in range(5):
        assert batches(dls.train, epoch=3, first=first) == whole[first:]


def test_processes_deal_out_the_batches_of_one(monkeypatch):
    whole = [x for batch, _ in batches(loaders(bs=8, step_bs=8).train) for x in batch]
    held_out = [x for batch, _ in batches(loaders(bs=8, step_bs=8).valid) for x in batch]
    monkeypatch.setenv("WORLD_SIZE", "2")
    parts, valid_parts = [], []
    for rank in "01":
        monkeypatch.setenv("RANK", rank)
        dls = loaders(bs=2, step_bs=8)  # 2 processes, 2 batches a step
        parts.append([batch for batch, _ in batches(dls.train)])
        valid_parts += [x for batch, _ in batches(dls.valid) for x in batch]
        assert len(parts[-1]) == len(dls.train) == 4
    steps = [[x for part in parts for batch in part[i : i + 2] for x in batch] for i in (0, 2)]
    assert [sorted(step) for step in steps] == [sorted(whole[:8]), sorted(whole[8:])]
    assert sorted(valid_parts) == sorted(held_out)


def test_in_training_the_next_item_takes_the_place_of_a_broken_one():
    whole = batches(loaders().train)
    BROKEN.update([3, 4])
    broken = batches(loaders().train)
    for (before, _), (now, _) in zip(whole, broken, strict=True):
        for old, new in zip(before, now, strict=True):
            assert new[0] == 5 if old[0] in BROKEN else new == old
    BROKEN.update(range(17))
    with pytest.raises(TrainingStopped, match="none of the training photos can be read any more"):
        loaders()


def test_of_held_out_items_a_broken_one_is_left_out():
    BROKEN.add(18)
    assert [x[0] for batch, _ in batches(loaders().valid) for x in batch] == [17, 19, 20, 21]


def test_seeded_random_numbers_leave_the_others_alone():
    def draw():
        return random.random(), np.random.rand(), torch.rand(1).item()

    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    expected = draw()
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    with temporary_seed("a", 1):
        first = draw()
    assert draw() == expected
    with temporary_seed("a", 1):
        assert draw() == first
    with temporary_seed("a", 2):
        assert draw() != first
    assert len({derive_seed(i, j) for i in range(100) for j in range(100)}) == 10_000


def test_workers_ignore_what_stops_the_main_process():
    before = {number: signal.getsignal(number) for number in stop_signals()}
    try:
        loaders().train.wif()
        assert {signal.getsignal(number) for number in before} == {signal.SIG_IGN}
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_workers_can_be_started_in_every_way(monkeypatch, method):
    monkeypatch.setattr(fastai.data.load, "multiprocessing", multiprocessing.get_context(method))
    dl = loaders(workers=1, n=13).train
    assert batches(dl) == batches(loaders(n=13).train)


def test_after_an_error_the_loader_can_be_used_again():
    dl = loaders(workers=1).train
    whole = batches(dl)
    BROKEN.update(range(22))
    dl.stop_workers()  # those that know of no broken ones
    with pytest.raises(TrainingStopped):
        batches(dl)
    BROKEN.clear()
    assert batches(dl) == whole


def test_loading_processes_end_when_they_are_told_to():
    before = set(multiprocessing.active_children())
    dl = loaders(workers=2).train
    batches(dl)
    started = set(multiprocessing.active_children()) - before
    assert len(started) == 2
    dl.stop_workers()
    assert not any(process.is_alive() for process in started)
