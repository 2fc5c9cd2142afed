"""Random crops of photos at their own size, flipped and turned; of held-out photos the middle."""

import random
from collections.abc import Sequence
from functools import partial

import torch
from fastai.data.core import DataLoaders
from fastai.vision.core import PILImage
from fasttransform import ItemTransform, Transform
from PIL import Image

from common.batches.block import PhotoOpener, find_and_split_photos, get_photo_dls
from common.batches.folders import PhotoSplit
from common.batches.store import StoredPhoto
from common.config.sections import StageConfig, TaskConfig, TrainConfig
from common.photos.flat import open_photo_for_crops

AS_IT_IS = 7  # of the eight ways to lay down a square


class RandomCut(ItemTransform):
    """Photos of one place, each `scales` times as large as the first -> the same part of all, turned and flipped alike.

    size: pixels a side of the first.
    """

    order = 1
    split_idx = 0

    def __init__(self, size: int, scales: Sequence[int] = (1,)) -> None:
        super().__init__()
        self.size, self.scales = size, scales

    def encodes(self, photos):  # noqa: ANN001, ANN201 (fasttransform dispatches on hints)
        room = photos[0].width - self.size, photos[0].height - self.size
        return self.cut(photos, [random.randint(0, side) for side in room], random.randint(0, AS_IT_IS))

    def cut(
        self, photos: Sequence[Image.Image | StoredPhoto], place: Sequence[int], turn: int
    ) -> tuple[Image.Image, ...]:
        """The squares at `place` = (left, top) of the first, turned."""
        left, top = place
        return tuple(
            turned(photo.crop((s * left, s * top, s * (left + self.size), s * (top + self.size))), turn)
            for photo, s in zip(photos, self.scales, strict=True)
        )


class MiddleCut(RandomCut):
    """The middle of held-out photos. A class of its own, since DataBlock keeps one transform of each class."""

    split_idx = 1

    def encodes(self, photos):  # noqa: ANN001, ANN201 (fasttransform dispatches on hints)
        first = photos[0]
        return self.cut(photos, [(first.width - self.size) // 2, (first.height - self.size) // 2], AS_IT_IS)


def turned(image: Image.Image, k: int) -> PILImage:
    """One of the eight ways to lay down a square."""
    return PILImage(image if k == AS_IT_IS else image.transpose(Image.Transpose(k)))  # pyright: ignore[reportCallIssue]


def get_crop_opener(train: TrainConfig) -> PhotoOpener:
    """What opens a photo to take crops from: it must have room for the largest."""
    return partial(open_photo_for_crops, min_side=train.largest_crop())


def find_photos_for_crops(config: TaskConfig) -> PhotoSplit:
    """The photos of a config to train on, and those held out. Raises UserError if there is not enough to train on."""
    return find_and_split_photos(config.data, config.train, get_crop_opener(config.train))


def get_crop_dls(
    photos: PhotoSplit,
    config: TaskConfig,
    stage: StageConfig,
    device: torch.device,
    batch_tfms: Sequence[Transform],
    item_tfms: Sequence[Transform] = (),
) -> DataLoaders:
    """`get_photo_dls` for one stage. Validation takes the largest crop in every stage. item_tfms: after the crops."""
    train = config.train
    cuts = [RandomCut(stage.crop), MiddleCut(train.largest_crop()), *item_tfms]
    return get_photo_dls(photos, config.data, train, stage, device, get_crop_opener(train), cuts, batch_tfms)
