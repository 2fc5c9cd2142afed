"""Colour photos in, pairs of (grey, colour) out; the grey side is made from each batch, on the device."""

from functools import partial

import numpy as np
import torch
from fastai.torch_core import TensorImage
from fasttransform import ItemTransform

from colorize.lab import get_ab, set_ab, to_grey
from colorize.metrics import colorfulness
from common.data.dataloaders import find_and_split_photos, get_photo_dls, random_part_tfms
from common.data.photos import PhotoError, open_shrunk_photo
from common.data.pixels import to_tensor

GREY = 3  # colorfulness below which a photo counts as grey: JPEG's and a scanner's colour noise stay below


class ToGrey(ItemTransform):
    """(colour,) -> (grey, colour), as fastai's batch transform; colour: (N, 3, H, W) in [0, 1]."""

    order = 90  # after IntToFloatTensor

    def encodes(self, batch):
        (colour,) = batch
        return TensorImage(to_grey(colour.as_subclass(torch.Tensor))), colour


class Age(ItemTransform):
    """(grey, colour) -> (aged grey, the same colours on it), each photo by chance between not at all and the most.

    The network leaves lightness alone, so what it is to hit has the aged lightness as well. Training photos only.
    fade: how far blacks rise and whites fall. contrast: tones to a power between 1 / (1 + contrast) and 1 + contrast.
    noise: Gaussian sigma in 1/255.
    """

    order = 91
    split_idx = 0

    def __init__(self, fade=0.0, contrast=0.0, noise=0.0):
        super().__init__()
        self.fade, self.contrast, self.noise = fade, contrast, noise

    def encodes(self, batch):
        grey, colour = (image.as_subclass(torch.Tensor) for image in batch)
        aged = self.age(grey)
        return TensorImage(aged), TensorImage(set_ab(aged, get_ab(colour)))

    def age(self, grey):
        """(N, 3, H, W), equal channels in [0, 1] -> the same."""
        power, low, high, sigma = (torch.rand(4, len(grey), 1, 1, 1, device=grey.device) * 2 - 1).unbind()
        grey = grey[:, :1] ** (1 + self.contrast) ** power
        low, high = self.fade * low.abs(), 1 - self.fade * high.abs()
        grey = low + (high - low) * grey + torch.randn_like(grey) * sigma * (self.noise / 255)
        return grey.clamp(0, 1).expand(-1, 3, -1, -1)


def open_color_photo(path, crop, min_scale):
    """`common.data.photos.open_shrunk_photo`, and PhotoError for a photo that is grey."""
    photo = open_shrunk_photo(path, crop, min_scale)
    if colorfulness(to_tensor(np.asarray(photo.resize((64, 64), reducing_gap=2)))).item() < GREY:
        raise PhotoError(f"{path}: grey, there are no colours to learn")
    return photo


def get_photo_opener(config):
    return partial(open_color_photo, crop=config.train.largest_crop(), min_scale=config.data.min_scale)


def get_photos(config):
    """(training photos, held-out photos) of a config. Raises UserError if there is not enough to train on."""
    return find_and_split_photos(config.data, config.train, get_photo_opener(config))


def get_dls(photos, config, stage, device):
    """fastai DataLoaders of (grey, colour) batches for one stage: random parts and left-right flips to train on.

    photos: of `get_photos`. Validation takes the middle of each held-out photo, its short side as long as the largest
    crop's, in every stage.
    """
    data = config.data
    ageing = [Age(data.fade, data.contrast, data.noise)] if data.fade or data.contrast or data.noise else []
    return get_photo_dls(
        photos,
        data,
        config.train,
        stage,
        device,
        open_photo=get_photo_opener(config),
        item_tfms=random_part_tfms(data, config.train, stage),
        batch_tfms=[ToGrey(), *ageing],
    )
