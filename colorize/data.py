"""Colour photos in, pairs of (grey, colour) out: grey on the device, or aged by chance in the worker."""

import random
from functools import partial
from pathlib import Path

import torch
from fastai.data.core import DataLoaders
from fastai.torch_core import TensorImage
from fastai.vision.core import PILImage
from fasttransform import ItemTransform
from PIL import Image
from torch import Tensor

from colorize.config import Config
from colorize.lab import get_ab, set_ab, to_grey
from common.batches.block import (
    KEPT_NOTES,
    MakeInput,
    PhotoOpener,
    find_and_split_photos,
    get_photo_dls,
    random_part_tfms,
)
from common.batches.damages import draw_jpeg, save_as_jpeg
from common.batches.folders import PhotoSplit
from common.config.damages import JpegConfig
from common.config.sections import StageConfig
from common.losses.color import colorfulness
from common.photos.flat import open_shrunk_photo
from common.photos.open import PhotoError
from common.photos.pixels import to_image, to_tensor

MIN_COLORFULNESS = 3  # below it a photo counts as grey: JPEG's and a scanner's colour noise stay below


class Age(ItemTransform):
    """(color,) -> (aged grey, color), as fastai's item transform: a crop aged by random amounts, none to the most.

    What it gets follows from Python's and torch's random numbers, which the loader seeds for each item. `drawn` says
    what those had that this process has made. Training photos only.
    fade: how far blacks rise and whites fall. contrast: tones to a power between 1 / (1 + contrast) and 1 + contrast.
    noise: Gaussian sigma in 1/255. jpeg: the chance of being saved as JPEG at last, and of what quality.
    """

    order = 2  # after the crops
    split_idx = 0

    def __init__(
        self, fade: float = 0.0, contrast: float = 0.0, noise: float = 0.0, jpeg: JpegConfig | None = None
    ) -> None:
        super().__init__()
        self.fade, self.contrast, self.noise, self.jpeg = fade, contrast, noise, jpeg
        self.drawn: list[str] = []

    def encodes(self, photos):  # noqa: ANN001, ANN201 (fasttransform dispatches on hints)
        (color,) = photos
        aged = to_image(self.age(to_grey(to_tensor(color)))[0])
        return PILImage(aged), color  # pyright: ignore[reportCallIssue]  # fastai's metaclass casts the image

    def age(self, grey: Tensor) -> Tensor:
        """(N, 3, H, W), equal channels in [0, 1] -> the same."""
        power, low, high, sigma = (torch.rand(4, len(grey), 1, 1, 1, device=grey.device) * 2 - 1).unbind()
        notes = [
            f"tones ^ {(1 + self.contrast) ** p:.2f}, black {self.fade * abs(b):.2f}, "
            f"white {1 - self.fade * abs(w):.2f}, grain {self.noise * abs(s):.1f}"
            for p, b, w, s in torch.stack([power, low, high, sigma]).flatten(1).T.tolist()
        ]
        grey = grey[:, :1] ** (1 + self.contrast) ** power
        low, high = self.fade * low.abs(), 1 - self.fade * high.abs()
        grey = low + (high - low) * grey + torch.randn_like(grey) * sigma * (self.noise / 255)
        grey = grey.clamp(0, 1).expand(-1, 3, -1, -1)
        aged = grey if self.jpeg is None else self.save_as_jpegs(grey, self.jpeg, notes)
        self.drawn = [*self.drawn[-KEPT_NOTES:], *notes]
        return aged

    def save_as_jpegs(self, grey: Tensor, jpeg: JpegConfig, notes: list[str]) -> Tensor:
        """(N, 3, H, W) -> the same; each photo by chance as it comes back from a JPEG file, which its note tells."""
        rng = random.Random(random.getrandbits(64))
        photos = list(grey.split(1))
        for i, photo in enumerate(photos):
            if (quality := draw_jpeg(jpeg, rng)) is not None:
                photos[i] = to_grey(save_as_jpeg(photo, quality))
                notes[i] += f", JPEG {quality}"
        return torch.cat(photos)


class AgedLightness(ItemTransform):
    """(aged grey, color) -> (aged grey, the same colours on it), on the device: the network leaves lightness alone."""

    order = 91
    split_idx = 0

    def encodes(self, batch):  # noqa: ANN001, ANN201 (fasttransform dispatches on hints)
        grey, color = (image.as_subclass(Tensor) for image in batch)
        return TensorImage(grey), TensorImage(set_ab(grey, get_ab(color)))


def open_color_photo(path: Path, crop: int, min_scale: float) -> Image.Image:
    """`common.photos.flat.open_shrunk_photo`, and PhotoError for a photo that is grey."""
    photo = open_shrunk_photo(path, crop, min_scale)
    if colorfulness(to_tensor(photo.resize((64, 64), reducing_gap=2))).item() < MIN_COLORFULNESS:
        raise PhotoError(f"{path}: grey, there are no colours to learn")
    return photo


def get_photo_opener(config: Config) -> PhotoOpener:
    """What opens a photo to train on."""
    return partial(open_color_photo, crop=config.train.largest_crop(), min_scale=config.data.min_scale)


def get_photos(config: Config) -> PhotoSplit:
    """The photos of a config to train on, and those held out. Raises UserError if there is not enough to train on."""
    return find_and_split_photos(config.data, config.train, get_photo_opener(config))


def get_dls(photos: PhotoSplit, config: Config, stage: StageConfig, device: torch.device) -> DataLoaders:
    """fastai DataLoaders of (grey, color) batches for one stage: random parts and left-right flips to train on.

    Validation takes the middle of each held-out photo, its short side as long as the largest crop's, in every stage.
    """
    data = config.data
    amounts = data.fade, data.contrast, data.noise, data.jpeg
    ages = [Age(*amounts)] if any(amounts) else []
    inputs = [AgedLightness(), MakeInput(to_grey, split_idx=1)] if ages else [MakeInput(to_grey)]
    return get_photo_dls(
        photos,
        data,
        config.train,
        stage,
        device,
        open_photo=get_photo_opener(config),
        item_tfms=[*random_part_tfms(data, config.train, stage), *ages],
        batch_tfms=inputs,
    )
