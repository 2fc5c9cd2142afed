"""Random crops of photos at their own size, flipped and turned; of held-out photos the middle."""

from collections.abc import Sequence
from functools import partial

import torch
from fastai.data.core import DataLoaders
from fastai.vision.augment import CropPad, DihedralItem, RandomCrop
from fasttransform import Transform

from common.batches.block import PhotoOpener, find_and_split_photos, get_photo_dls
from common.batches.folders import PhotoSplit
from common.config.sections import StageConfig, TaskConfig, TrainConfig
from common.photos.flat import open_photo_for_crops


def get_crop_opener(train: TrainConfig) -> PhotoOpener:
    """What opens a photo to take crops from: it must have room for the largest."""
    return partial(open_photo_for_crops, min_side=train.largest_crop())


def find_photos_for_crops(config: TaskConfig) -> PhotoSplit:
    """The photos of a config to train on, and those held out. Raises UserError if there is not enough to train on."""
    return find_and_split_photos(config.data, config.train, get_crop_opener(config.train))


def get_crop_dls(
    photos: PhotoSplit, config: TaskConfig, stage: StageConfig, device: torch.device, batch_tfms: Sequence[Transform]
) -> DataLoaders:
    """`get_photo_dls` for one stage. Validation takes the largest crop in every stage."""
    train, largest = config.train, config.train.largest_crop()
    crops = [RandomCrop(stage.crop, split_idx=0), CropPad(largest, split_idx=1), DihedralItem(p=1.0)]
    return get_photo_dls(photos, config.data, train, stage, device, get_crop_opener(train), crops, batch_tfms)
