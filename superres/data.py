"""Sharp photos in, pairs of (low resolution, sharp) out; the low side is made from each batch, on the device."""

import logging
from pathlib import Path

import torch
from fastai.data.block import DataBlock, TransformBlock
from fastai.data.load import SkipItemException
from fastai.data.transforms import IndexSplitter, IntToFloatTensor
from fastai.torch_core import TensorImage
from fastai.vision.augment import CropPad, DihedralItem, RandomCrop
from fastai.vision.core import PILImage
from fasttransform import ItemTransform, Transform
from kornia.enhance import jpeg_codec_differentiable
from kornia.filters import gaussian_blur2d

from common.errors import UserError
from common.folders import check_side, fault, find_photos, sample_photos, split_photos, usable_photos
from common.metrics import round_to_8_bits
from common.photos import PhotoCache, PhotoError, open_photo
from superres.model import resize_bicubic

log = logging.getLogger(__name__)


class Degrade(ItemTransform):
    """(sharp,) -> (low, sharp), as fastai's batch transform: blur, bicubic shrinking, noise, JPEG, rounding to 8 bits.

    sharp: (N, 3, H, W) in [0, 1], sides multiples of `scale`. blur: sigma in sharp pixels (Johnson et al. 2016: 1.0).
    noise: sigma in 1/255. jpeg: quality 1 to 100.
    """

    order = 90  # after IntToFloatTensor

    def __init__(self, scale, blur=0.0, noise=0.0, jpeg=None):
        super().__init__()
        self.scale, self.blur, self.noise, self.jpeg = scale, blur, noise, jpeg

    def encodes(self, batch):
        (sharp,) = batch
        return TensorImage(self.low_resolution(sharp.as_subclass(torch.Tensor))), sharp

    def low_resolution(self, sharp):
        """(N, 3, H, W) -> (N, 3, H / scale, W / scale), multiples of 1/255."""
        low = sharp
        if self.blur:
            size = 2 * round(3 * self.blur) + 1
            low = gaussian_blur2d(low, (size, size), (self.blur, self.blur))
        low = resize_bicubic(low, 1 / self.scale)
        if self.noise:
            low = low + torch.randn_like(low) * (self.noise / 255)
        if self.jpeg is not None:
            quality = torch.full((len(low),), float(self.jpeg), device=low.device)
            low = jpeg_codec_differentiable(round_to_8_bits(low), quality)
        return round_to_8_bits(low)


def get_degrade(data):
    """The Degrade that a DataConfig describes."""
    return Degrade(data.scale, data.blur, data.noise, data.jpeg)


def get_photos(config):
    """(training photos, held-out photos) of a config. Raises UserError if there is not enough to train on."""
    data, crop = config.data, largest_crop(config)
    paths = sample_photos() if data.path is None else find_photos(data.path)
    paths = usable_photos(paths, min_side=crop)
    train, valid = split_photos(paths, data.valid, config.train.seed, data.path and data.path.expanduser())
    n_crops = len(train) * data.crops_per_photo
    for i, stage in enumerate(config.train.stages):
        if n_crops < stage.bs:
            raise UserError(
                f"train.stages.{i}.bs = {stage.bs}: more than the {n_crops} crops of an epoch ({len(train)} photos "
                f"x data.crops_per_photo = {data.crops_per_photo}); lower it or take more crops"
            )
    log.info("%d photos to train on, %d held out", len(train), len(valid))
    return train, valid


def largest_crop(config):
    return max(stage.crop for stage in config.train.stages)


class OpenPhoto(Transform):
    """Path -> PILImage, as fastai's item transform. A photo that broke since the start is left out with one line."""

    order = -1  # before the crops

    def __init__(self, min_side, open_photo):
        super().__init__()
        self.min_side, self.open, self.reported = min_side, open_photo, set()

    def encodes(self, path: Path):
        try:
            photo = self.open(path)
            check_side(path, photo, self.min_side)
        except PhotoError as error:
            if path not in self.reported:
                log.warning("skipped %s", error)
                self.reported.add(path)
            raise SkipItemException from None
        return PILImage(photo)


def get_dls(train, valid, config, stage, device):
    """fastai DataLoaders of (low, sharp) batches for one stage: random crops, flips and quarter turns to train on.

    Validation takes the middle of each held-out photo, the same size in every stage, so that its figures compare.
    """
    crop = largest_crop(config)
    # fastai opens the first item while it makes the loaders, so that one must still be there.
    first = next((i for i, photo in enumerate(train) if fault(photo, crop) is None), None)
    if first is None:
        raise UserError(f"none of the {len(train)} training photos can be read any more")
    items = (train[first:] + train[:first]) * config.data.crops_per_photo
    # Workers are new in every epoch, so a cache pays only without them.
    opener = PhotoCache(max_bytes=2**30) if config.train.workers == 0 else open_photo
    block = DataBlock(
        blocks=TransformBlock(batch_tfms=IntToFloatTensor),
        splitter=IndexSplitter(range(len(items), len(items) + len(valid))),
        item_tfms=[
            OpenPhoto(crop, opener),
            RandomCrop(stage.crop, split_idx=0),
            CropPad(crop, split_idx=1),
            DihedralItem(p=1.0),
        ],
        batch_tfms=get_degrade(config.data),
    )
    val_bs = max(1, stage.bs * stage.crop**2 // crop**2)
    return block.dataloaders(items + valid, bs=stage.bs, val_bs=val_bs, num_workers=config.train.workers, device=device)
