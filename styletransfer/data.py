"""Photos in, batches of (photo, photo) out: what is painted, and what is to be recognised in it."""

from functools import partial
from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from fastai.data.core import DataLoaders
from fastai.torch_core import TensorBase
from fasttransform import ItemTransform
from torch import Tensor

from common.batches.block import PhotoOpener, find_and_split_photos, get_photo_dls, random_part_tfms
from common.batches.folders import PhotoSplit
from common.config.sections import StageConfig
from common.photos.flat import open_shrunk_photo
from common.photos.pixels import checksums
from common.runtime.seeds import derive_seed
from styletransfer.config import Config
from styletransfer.style import find_styles

STRONGEST = 1.5


class StyleMix(TensorBase):
    """(N, styles), how much of each: a tensor that fastai's `show_batch` and `show_results` can show, as a title."""

    def show(self, ctx: Any = None, **_: Any) -> Any:
        if ctx is not None:
            ctx.set_title(f"style {int(self.as_subclass(Tensor).argmax())}", fontsize=8)
        return ctx


class AsTarget(ItemTransform):
    """(photo,) -> (photo, photo), as fastai's batch transform; with several styles (photo, mix, photo, mix).

    mix: (N, styles), 1 for the style that a photo is to be painted in. With `strength` it is (N, 1 + styles), and says
    in its first column how much the photo stays as it is: of two photos one is painted, and the other gets a strength
    between 0 and STRONGEST. All follows from `position`, which is the seed and the epoch, and from the photo's
    pixels: not from its batch.
    """

    order = 90  # after IntToFloatTensor

    def __init__(self, styles: int = 1, strength: bool = False) -> None:
        super().__init__()
        self.styles, self.strength = styles, strength
        self.position: tuple[int, int] = (0, 0)  # set by `common.batches.loader`

    def encodes(self, batch):  # noqa: ANN001, ANN201 (fasttransform dispatches on hints)
        (photo,) = batch
        if self.styles == 1 and not self.strength:
            return photo, photo
        seeds = [derive_seed(*self.position, number) for number in checksums(photo.as_subclass(Tensor))]
        drawn = torch.tensor([seed % self.styles for seed in seeds], device=photo.device)
        mix = F.one_hot(drawn, self.styles).float()
        if self.strength:
            strengths = mix.new_tensor([draw_strength(seed) for seed in seeds])[:, None]
            mix = torch.cat([1 - strengths, strengths * mix], dim=1)
        mix = StyleMix(mix)
        return photo, mix, photo, mix


def draw_strength(seed: int) -> float:
    """1, or (as often) anything up to STRONGEST. Not 0, which is the photo without being learned."""
    random = Random(seed)
    return random.choice((1.0, random.uniform(0, STRONGEST)))


def get_photo_opener(config: Config) -> PhotoOpener:
    """What opens a photo to train on."""
    return partial(open_shrunk_photo, crop=config.train.largest_crop(), min_scale=config.data.min_scale)


def get_photos(config: Config) -> PhotoSplit:
    """The photos of a config to train on, and those held out. Raises UserError if there is not enough to train on."""
    return find_and_split_photos(config.data, config.train, get_photo_opener(config))


def get_dls(photos: PhotoSplit, config: Config, stage: StageConfig, device: torch.device) -> DataLoaders:
    """fastai DataLoaders of the batches of `AsTarget` for one stage: random parts and left-right flips to train on.

    Validation takes the middle of each held-out photo, its short side as long as the largest crop's, in every stage.
    """
    styles = len(find_styles(config.style))
    dls = get_photo_dls(
        photos,
        config.data,
        config.train,
        stage,
        device,
        open_photo=get_photo_opener(config),
        item_tfms=random_part_tfms(config.data, config.train, stage),
        batch_tfms=[AsTarget(styles, config.style.strength)],
    )
    for loader in dls:
        loader.dataset.n_inp = 1 if styles == 1 and not config.style.strength else 2
    return dls
