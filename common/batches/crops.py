"""Random crops of photos at their own size, flipped and turned; of held-out photos the middle."""

import random
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from fastai.data.core import DataLoaders
from fastai.vision.core import PILImage
from fasttransform import ItemTransform, Transform
from PIL import Image

from common.batches.block import find_and_split_photos, get_photo_dls
from common.batches.folders import PhotoSplit
from common.batches.store import StoredPhoto
from common.config.sections import StageConfig, TaskConfig
from common.photos.flat import open_photo, open_photo_for_crops

AS_IT_IS = 7  # of the eight ways to lay down a square
PLACES = 4  # that a crop with detail is chosen from


class RandomCut(ItemTransform):
    """Photos of one place, each `scales` times as large as the first -> the same part of all, turned and flipped alike.

    size: pixels a side of the first. detail: of this part of the crops, the one with the most detail of four is taken.
    """

    order = 1
    split_idx = 0

    def __init__(self, size: int, scales: Sequence[int] = (1,), detail: float = 0) -> None:
        super().__init__()
        self.size, self.scales, self.detail = size, scales, detail

    def encodes(self, photos):  # noqa: ANN001, ANN201 (fasttransform dispatches on hints)
        first = photos[0]
        room = first.width - self.size, first.height - self.size
        n = PLACES if self.detail and random.random() < self.detail else 1
        places = [[random.randint(0, side) for side in room] for _ in range(n)]
        place = max(places, key=lambda place: self.detail_at(first, place)) if n > 1 else places[0]
        return self.cut(photos, place, random.randint(0, AS_IT_IS))

    def detail_at(self, photo: Image.Image | StoredPhoto, place: Sequence[int]) -> float:
        """How much neighbouring pixels of a square differ, on average: 0 for a clear sky."""
        left, top = place
        grey = np.asarray(photo.crop((left, top, left + self.size, top + self.size)).convert("L"), np.int16)
        return float(np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean())

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


def find_photos_for_crops(config: TaskConfig) -> PhotoSplit:
    """The photos of a config to train on, and those held out. Raises UserError if there is not enough to train on."""
    opener = partial(open_photo_for_crops, min_side=config.train.largest_crop())
    return find_and_split_photos(config.data, config.train, opener)


def get_crop_dls(
    photos: PhotoSplit,
    config: TaskConfig,
    stage: StageConfig,
    device: torch.device,
    batch_tfms: Sequence[Transform],
    item_tfms: Sequence[Transform] = (),
    detail: float = 0,
) -> DataLoaders:
    """`get_photo_dls` for one stage. Validation takes the largest crop in every stage.

    item_tfms: after the crops. detail: see RandomCut.
    """
    train = config.train
    cuts = [RandomCut(stage.crop, detail=detail), MiddleCut(train.largest_crop()), *item_tfms]
    return get_photo_dls(
        photos, config.data, train, stage, device, open_photo, cuts, batch_tfms, min_side=train.largest_crop()
    )
