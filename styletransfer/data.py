"""Photos in, batches of (photo, photo) out: what is painted, and what is to be recognised in it."""

from functools import partial

import torch
from fastai.data.core import DataLoaders
from fasttransform import ItemTransform

from common.config.sections import StageConfig
from common.data.dataloaders import PhotoOpener, find_and_split_photos, get_photo_dls, random_part_tfms
from common.data.folders import PhotoSplit
from common.data.photos import open_shrunk_photo
from styletransfer.config import Config


class AsTarget(ItemTransform):
    """(photo,) -> (photo, photo), as fastai's batch transform."""

    order = 90  # after IntToFloatTensor

    def encodes(self, batch):  # noqa: ANN001, ANN201 (fasttransform dispatches on hints)
        (photo,) = batch
        return photo, photo


def get_photo_opener(config: Config) -> PhotoOpener:
    """What opens a photo to train on."""
    return partial(open_shrunk_photo, crop=config.train.largest_crop(), min_scale=config.data.min_scale)


def get_photos(config: Config) -> PhotoSplit:
    """The photos of a config to train on, and those held out. Raises UserError if there is not enough to train on."""
    return find_and_split_photos(config.data, config.train, get_photo_opener(config))


def get_dls(photos: PhotoSplit, config: Config, stage: StageConfig, device: torch.device) -> DataLoaders:
    """fastai DataLoaders of (photo, photo) batches for one stage: random parts and left-right flips to train on.

    Validation takes the middle of each held-out photo, its short side as long as the largest crop's, in every stage.
    """
    return get_photo_dls(
        photos,
        config.data,
        config.train,
        stage,
        device,
        open_photo=get_photo_opener(config),
        item_tfms=random_part_tfms(config.data, config.train, stage),
        batch_tfms=[AsTarget()],
    )
