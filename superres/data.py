"""Sharp photos in, pairs of (low resolution, sharp) out; the low side is made from each batch, on the device."""

from functools import partial

import torch
from fastai.data.core import DataLoaders
from fastai.torch_core import TensorImage
from fastai.vision.augment import CropPad, DihedralItem, RandomCrop
from fasttransform import ItemTransform
from kornia.filters import gaussian_blur2d
from torch import Tensor

from common.config.sections import StageConfig
from common.data.dataloaders import PhotoOpener, find_and_split_photos, get_photo_dls
from common.data.folders import PhotoSplit
from common.data.photos import open_photo_for_crops
from common.data.pixels import round_to_8_bits
from superres.config import Config, DataConfig
from superres.model import resize_bicubic


class Degrade(ItemTransform):
    """(sharp,) -> (low, sharp), as fastai's batch transform: blur, bicubic shrinking, noise, rounding to 8 bits.

    sharp: (N, 3, H, W) in [0, 1], sides multiples of `scale`. blur: sigma in sharp pixels (Johnson et al. 2016: 1.0).
    noise: sigma in 1/255.
    """

    order = 90  # after IntToFloatTensor

    def __init__(self, scale: int, blur: float = 0.0, noise: float = 0.0) -> None:
        super().__init__()
        self.scale, self.blur, self.noise = scale, blur, noise

    def encodes(self, batch):  # noqa: ANN001, ANN201 (fasttransform dispatches on hints)
        (sharp,) = batch
        return TensorImage(self.low_resolution(sharp.as_subclass(Tensor))), sharp

    def low_resolution(self, sharp: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 3, H / scale, W / scale), multiples of 1/255."""
        low = sharp
        if self.blur:
            size = 2 * round(3 * self.blur) + 1
            low = gaussian_blur2d(low, (size, size), (self.blur, self.blur))
        low = resize_bicubic(low, 1 / self.scale)
        if self.noise:
            low = low + torch.randn_like(low) * (self.noise / 255)
        return round_to_8_bits(low)


def get_degrade(data: DataConfig) -> Degrade:
    """The Degrade that a DataConfig describes."""
    return Degrade(data.scale, data.blur, data.noise)


def get_photo_opener(config: Config) -> PhotoOpener:
    """What opens a photo to train on: it must have room for the largest crop."""
    return partial(open_photo_for_crops, min_side=config.train.largest_crop())


def get_photos(config: Config) -> PhotoSplit:
    """The photos of a config to train on, and those held out. Raises UserError if there is not enough to train on."""
    return find_and_split_photos(config.data, config.train, get_photo_opener(config))


def get_dls(photos: PhotoSplit, config: Config, stage: StageConfig, device: torch.device) -> DataLoaders:
    """fastai DataLoaders of (low, sharp) batches for one stage: random crops, flips and quarter turns to train on.

    Validation takes the middle of each held-out photo, the same size in every stage.
    """
    crops = [RandomCrop(stage.crop, split_idx=0), CropPad(config.train.largest_crop(), split_idx=1)]
    return get_photo_dls(
        photos,
        config.data,
        config.train,
        stage,
        device,
        open_photo=get_photo_opener(config),
        item_tfms=[*crops, DihedralItem(p=1.0)],
        batch_tfms=[get_degrade(config.data)],
    )
