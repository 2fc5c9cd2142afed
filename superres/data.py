"""Sharp photos in, pairs of (low resolution, sharp) out: shrunk on the device, or damaged by chance in the worker."""

import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from fastai.data.core import DataLoaders
from fastai.vision.core import PILImage
from fasttransform import ItemTransform
from torch import Tensor

from common.batches.block import KEPT_NOTES, MakeInput, get_photo_dls
from common.batches.crops import MiddleCut, RandomCut, find_photos_for_crops, get_crop_dls
from common.batches.damages import damage, draw_passes
from common.batches.folders import PhotoSplit
from common.config.damages import DamagePass
from common.config.sections import StageConfig
from common.photos.pixels import checksums, round_to_8_bits, to_image, to_tensor
from common.runtime.seeds import derive_seed
from superres.bicubic import resize_bicubic
from superres.config import Config, DataConfig
from superres.pairs import PairInput, check_pairs, open_side, partner


def shrink(sharp: Tensor, scale: int) -> Tensor:
    """(N, 3, H, W) in [0, 1], sides multiples of `scale` -> (N, 3, H / scale, W / scale), multiples of 1/255."""
    return round_to_8_bits(resize_bicubic(sharp, 1 / scale))


class Damage(ItemTransform):
    """(sharp,) -> (low, sharp), as fastai's item transform: a crop shrunk and damaged, where its photo was read.

    What it gets follows from Python's random numbers, which the loader seeds for each item. `drawn` says what those had
    that this process has made.
    """

    order = 2  # after the crops

    def __init__(self, scale: int, passes: Sequence[DamagePass]) -> None:
        super().__init__()
        self.scale, self.passes = scale, list(passes)
        self.drawn: list[str] = []

    def encodes(self, photos):  # noqa: ANN001, ANN201 (fasttransform dispatches on hints)
        (sharp,) = photos
        seed = random.getrandbits(63)
        drawn = draw_passes(self.passes, seed)
        self.drawn = [*self.drawn[-KEPT_NOTES:], "; ".join(map(str, drawn))]
        size = sharp.height // self.scale, sharp.width // self.scale
        low = to_image(damage(to_tensor(sharp), drawn, size, seed)[0])
        return PILImage(low), sharp  # pyright: ignore[reportCallIssue]  # fastai's metaclass casts the image


class Degrade:
    """Makes the low side of whole photos, to measure on: shrunk, and damaged as follows from each photo's pixels."""

    def __init__(self, scale: int, passes: Sequence[DamagePass] = ()) -> None:
        self.scale, self.passes = scale, list(passes)

    def low_resolution(self, sharp: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 3, H / scale, W / scale), multiples of 1/255."""
        if not self.passes:
            return shrink(sharp, self.scale)
        size = sharp.shape[-2] // self.scale, sharp.shape[-1] // self.scale
        seeds = [derive_seed(0, 0, number) for number in checksums(sharp)]
        photos = zip(sharp.split(1), seeds, strict=True)
        return torch.cat([damage(photo, draw_passes(self.passes, seed), size, seed) for photo, seed in photos])

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
        damages = [Damage(data.scale, data.degrade)] if data.degrade else []
        inputs = [] if data.degrade else [MakeInput(partial(shrink, scale=data.scale))]
        return get_crop_dls(photos, config, stage, device, inputs, damages, data.detail)
    sides = (1, data.scale)
    return get_photo_dls(
        photos,
        data,
        config.train,
        stage,
        device,
        open_photo=partial(open_side, folder=data.path, min_side=largest, scale=data.scale),
        item_tfms=[RandomCut(stage.crop // data.scale, sides, data.detail), MiddleCut(largest // data.scale, sides)],
        batch_tfms=[],
        get_input=partial(partner, folder=data.path, low=data.low),
    )
