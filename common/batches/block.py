"""From photos to batches: which photos train, and fastai's DataLoaders over them."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from fastai.data.block import DataBlock, TransformBlock
from fastai.data.core import DataLoaders
from fastai.data.load import SkipItemException
from fastai.data.transforms import IndexSplitter, IntToFloatTensor
from fastai.imports import noop
from fastai.torch_core import TensorImage
from fastai.vision.augment import FlipItem, RandomResizedCrop, Resize
from fastai.vision.core import PILImage
from fasttransform import ItemTransform, Transform
from PIL import Image
from torch import Tensor

from common.batches.doubles import Looks, find_doubles
from common.batches.folders import PhotoSplit, find_photos, keep_usable_photos, sample_photos, split_photos
from common.batches.loader import SeededDL
from common.batches.store import PhotoStore, StoredPhoto, find_store, remove_unread_files, whole
from common.config.sections import PhotosConfig, RandomPartsConfig, StageConfig, TaskConfig, TrainConfig
from common.photos.flat import check_room
from common.photos.open import PhotoError
from common.runtime import processes
from common.runtime.errors import UserError
from common.runtime.files import remove_temporary_files
from common.runtime.interrupt import delayed_interrupts
from common.runtime.messages import say_once

log = logging.getLogger(__name__)

PhotoOpener = Callable[[Path], Image.Image]

KEPT_NOTES = 1000  # what a transform drew for so many items is remembered
WORTH_A_LINE = 10**8  # bytes on the user's disk


def find_and_split_photos(data: PhotosConfig, train: TrainConfig, open_photo: PhotoOpener) -> PhotoSplit:
    """The photos of the config's folder that `open_photo` opens. Raises UserError if there are too few to train on."""
    paths = sample_photos() if data.path is None else find_photos(data.path)
    looks = Looks(open_photo)
    paths = keep_usable_photos(paths, looks)
    doubles = find_doubles(paths, looks.seen)
    photos = split_photos(paths, data.valid, train.seed, data.path and data.path.expanduser(), doubles)
    check_batch_sizes(len(photos.train), data, train)
    log.info("%d photos to train on, %d held out", len(photos.train), len(photos.held_out))
    return photos


def check_batch_sizes(n_photos: int, data: PhotosConfig, train: TrainConfig) -> None:
    """Raises UserError if the batches of a stage cannot be divided, or are larger than an epoch."""
    for i, stage in enumerate(train.stages):
        n_crops = n_photos * crops_of_photo(n_photos, data, stage)
        if stage.bs % (parts := processes.count() * train.accumulate):
            raise UserError(
                f"train.stages.{i}.bs = {stage.bs}: must be a multiple of {parts}, to be divided between "
                f"{processes.count()} processes and train.accumulate = {train.accumulate}"
            )
        if n_crops < stage.bs:
            raise UserError(
                f"train.stages.{i}.bs = {stage.bs}: more than the {n_crops} crops of an epoch ({n_photos} "
                f"photos x data.crops_per_photo = {data.crops_per_photo}); lower it or take more crops"
            )


def crops_of_photo(n_photos: int, data: PhotosConfig, stage: StageConfig) -> int:
    """How many crops are taken of a photo in an epoch, or at most, if the epoch has a number of steps."""
    return data.crops_per_photo if stage.steps is None else -(-stage.steps * stage.bs // n_photos)


def count_steps(n_photos: int, config: TaskConfig) -> int:
    """Training steps of all stages."""
    return sum(steps_of_epochs(n_photos, config))


def steps_of_epochs(n_photos: int, config: TaskConfig) -> list[int]:
    """Training steps of each epoch of all stages."""
    steps: list[int] = []
    for stage in config.train.stages:
        in_epoch = n_photos * crops_of_photo(n_photos, config.data, stage) // stage.bs
        steps += [min(in_epoch, stage.steps or in_epoch)] * stage.epochs
    return steps


class OpenPhoto(Transform):
    """Path -> PILImage or StoredPhoto, as fastai's item transform. A photo that broke since the start gets a line.

    In training another one takes its place (`common.batches.loader`). min_side: pixels that both its sides must have.
    """

    order = -2  # before the crops

    def __init__(self, open_photo: Callable[[Path], Image.Image | StoredPhoto], min_side: int = 1) -> None:
        super().__init__()
        self.open, self.min_side = open_photo, min_side
        self.reported: set[Path] = set()

    def encodes(self, path: Path):  # noqa: ANN201 (fasttransform casts to what a hint says)
        try:
            photo = self.open(path)
            check_room(path, photo.width, photo.height, self.min_side)
            return photo
        except PhotoError as error:
            if path not in self.reported:
                log.warning("skipped %s", error)
                self.reported.add(path)
            raise SkipItemException from None


class Whole(Transform):
    """A photo as it was opened -> the whole of it as a PILImage, which fastai's transforms take."""

    order = -1

    def encodes(self, photo: StoredPhoto | Image.Image):  # noqa: ANN201 (as above)
        return PILImage(whole(photo))  # pyright: ignore[reportCallIssue]  # fastai's metaclass casts the image


class MakeInput(ItemTransform):
    """(target,) -> (function(target), target), as fastai's batch transform; target: (N, 3, H, W) in [0, 1].

    split_idx: 1 if training photos have their inputs already.
    """

    order = 90  # after IntToFloatTensor

    def __init__(self, function: Callable[[Tensor], Tensor], split_idx: int | None = None) -> None:
        super().__init__(split_idx=split_idx)
        self.function = function

    def encodes(self, batch):  # noqa: ANN001, ANN201 (fasttransform dispatches on hints)
        (target,) = batch
        return TensorImage(self.function(target.as_subclass(Tensor))), target


def random_part_tfms(data: RandomPartsConfig, train: TrainConfig, stage: StageConfig) -> list[Transform]:
    """Item transforms for `get_photo_dls`: random parts of training photos, shrunk to `stage.crop`, and random flips.

    Of held-out photos they take the middle, its short side as long as the largest crop's, in every stage.
    """
    return [
        Whole(),
        RandomResizedCrop(stage.crop, min_scale=data.min_scale, split_idx=0),
        Resize(train.largest_crop(), split_idx=1),
        FlipItem(),
    ]


def open_store(cache: str | Path, open_photo: PhotoOpener, photos: Sequence[Path], say: bool) -> PhotoStore | None:
    """What keeps photos decoded on the disk, as `data.cache` says. say: with a line about how much it will take."""
    store, needed = find_store(cache, open_photo, photos)
    if say and store is not None:
        remove_temporary_files(store.folder, below=True)
        if cache == "auto":
            remove_unread_files(store.folder)
    if say and store is not None and needed > WORTH_A_LINE:
        say_once(f"photos are kept decoded in {store.folder}: about {needed / 1e9:.1f} GB")
    elif say and store is None and cache == "auto" and needed:
        say_once(
            f"photos are decoded for each crop: decoded they take {needed / 1e9:.1f} GB, too much to be kept "
            "(data.cache)"
        )
    return store


def choose_workers(train: TrainConfig, device: torch.device) -> int:
    """How many processes load: `train.workers`, or as many as are good for the device."""
    if train.workers is not None:
        return train.workers
    return min(8, processes.usable_cores()) if device.type == "cuda" else 0


def get_photo_dls(
    photos: PhotoSplit,
    data: PhotosConfig,
    train: TrainConfig,
    stage: StageConfig,
    device: torch.device,
    open_photo: PhotoOpener,
    item_tfms: Sequence[Transform],
    batch_tfms: Sequence[Transform],
    get_input: Callable[[Path], Path] | None = None,
    min_side: int = 1,
) -> DataLoaders:
    """fastai DataLoaders for one stage: photos opened, cropped by `item_tfms`, floats in [0, 1], then `batch_tfms`.

    Crops to train on come from transforms with split_idx=0; those with split_idx=1 must give the held-out photos
    `train.largest_crop()` pixels a side in every stage, so that their metrics are comparable. get_input: the file of a
    photo's input, if it is one of its own; the items are then pairs (input, photo). min_side: see OpenPhoto.
    Raises UserError if no photo can be read.
    """
    items = photos.train * crops_of_photo(len(photos.train), data, stage)
    workers = choose_workers(train, device)
    store = open_store(data.cache, open_photo, [*photos.train, *photos.held_out], say=stage == train.stages[0])
    block = DataBlock(
        blocks=[TransformBlock(batch_tfms=[IntToFloatTensor])] * (1 if get_input is None else 2),
        getters=[noop] if get_input is None else [get_input, noop],
        splitter=IndexSplitter(range(len(items), len(items) + len(photos.held_out))),
        item_tfms=[OpenPhoto(store or open_photo, min_side), *item_tfms],
        batch_tfms=[*batch_tfms],
    )
    bs = stage.bs // (processes.count() * train.accumulate)
    val_bs = max(1, stage.bs * stage.crop**2 // train.largest_crop() ** 2 // processes.count())
    items += photos.held_out
    with delayed_interrupts():
        dls = block.dataloaders(
            items,
            dl_type=SeededDL,
            bs=bs,
            val_bs=val_bs,
            num_workers=workers,
            device=device,
            pin_memory=device.type == "cuda",
        )
    dls.train.seed_with(train.seed, step_bs=stage.bs, steps=stage.steps)
    dls.valid.seed_with(train.seed)
    return dls
