"""Sharp photos in, pairs of (low resolution, sharp) out; the low side is made after batching, on the device."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from fastai.data.core import DataLoaders
from fastai.torch_core import TensorImage
from fasttransform import ItemTransform
from torch import Tensor

from common.batches.block import get_photo_dls
from common.batches.crops import find_photos_for_crops, get_crop_dls
from common.batches.damages import damage, draw_passes
from common.batches.folders import PhotoSplit
from common.config.damages import DamagePass
from common.config.sections import StageConfig
from common.photos.pixels import checksums, round_to_8_bits
from common.runtime.seeds import derive_seed
from superres.bicubic import resize_bicubic
from superres.config import Config, DataConfig
from superres.pairs import PairCrop, PairInput, PairMiddle, check_pairs, open_side, partner


class Degrade(ItemTransform):
    """(sharp,) -> (low, sharp), as fastai's batch transform: each photo shrunk, and damaged as drawn for it alone.

    sharp: (N, 3, H, W) in [0, 1], sides multiples of `scale`. What a photo gets follows from `position`, which is the
    seed and the epoch, and from its own pixels: not from its batch, nor from the process that loads it. `drawn` says
    what the photos of the last batch got.
    """

    order = 90  # after IntToFloatTensor

    def __init__(self, scale: int, passes: Sequence[DamagePass] = ()) -> None:
        super().__init__()
        self.scale, self.passes = scale, list(passes)
        self.position: tuple[int, int] = (0, 0)  # set by `common.batches.loader`
        self.drawn: list[str] = []

    def encodes(self, batch):  # noqa: ANN001, ANN201 (fasttransform dispatches on hints)
        (sharp,) = batch
        return TensorImage(self.low_resolution(sharp.as_subclass(Tensor))), sharp

    def low_resolution(self, sharp: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 3, H / scale, W / scale), multiples of 1/255."""
        if not self.passes:
            self.drawn = ["clean"] * len(sharp)
            return round_to_8_bits(resize_bicubic(sharp, 1 / self.scale))
        height, width = (side // self.scale for side in sharp.shape[-2:])
        seeds = [derive_seed(*self.position, number) for number in checksums(sharp)]
        drawn = [draw_passes(self.passes, seed) for seed in seeds]
        self.drawn = ["; ".join(map(str, passes)) for passes in drawn]
        photos = zip(sharp.split(1), drawn, seeds, strict=True)
        return torch.cat([damage(photo, passes, (height, width), seed) for photo, passes, seed in photos])

    def low_of(self, path: Path, sharp: Tensor) -> Tensor:
        """`low_resolution`, of the photo `path`."""
        return self.low_resolution(sharp)


def get_input(data: DataConfig) -> "Degrade | PairInput":
    """What makes the input of a photo as a DataConfig says: from the photo, or from a file beside it."""
    if data.low is not None and data.path is not None:
        return PairInput(data.path, data.low, data.scale)
    return Degrade(data.scale, data.degrade)


def get_photos(config: Config) -> PhotoSplit:
    """The photos of a config to train on, and those held out. Raises UserError if there is not enough to train on."""
    data, photos = config.data, find_photos_for_crops(config)
    if data.low is not None and data.path is not None:
        check_pairs([*photos.train, *photos.held_out], data.path, data.low, data.scale)
    return photos


def get_dls(photos: PhotoSplit, config: Config, stage: StageConfig, device: torch.device) -> DataLoaders:
    """fastai DataLoaders of (low, sharp) batches for one stage: random crops, flips and quarter turns to train on.

    Validation takes the middle of each held-out photo, the same size in every stage.
    """
    data, largest = config.data, config.train.largest_crop()
    if data.low is None or data.path is None:
        return get_crop_dls(photos, config, stage, device, [Degrade(data.scale, data.degrade)])
    return get_photo_dls(
        photos,
        data,
        config.train,
        stage,
        device,
        open_photo=partial(open_side, folder=data.path, min_side=largest, scale=data.scale),
        item_tfms=[PairCrop(stage.crop, data.scale), PairMiddle(largest, data.scale)],
        batch_tfms=[],
        get_input=partial(partner, folder=data.path, low=data.low),
    )
