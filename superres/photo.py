"""A photo enlarged, by a model or an ONNX file."""

import logging
from typing import Any

import numpy as np
from PIL import Image

from common.inference.tile_layout import TILE
from common.inference.tiles import enhance
from common.inference.tiles import enhance_together as enhance_all
from common.models.onnx_model import OnnxModel
from common.photos.resize import resize
from superres.colors import with_colors_of
from superres.network import SuperResolver
from superres.sizes import passes_needed, size_by, wanted_size

log = logging.getLogger(__name__)


def enlarge_photo(
    model: SuperResolver | OnnxModel,
    photo: np.ndarray,
    strength: float = 1.0,
    tile: int = TILE,
    tta: bool = False,
    colors: str = "model",
    **size: Any,
) -> np.ndarray:
    """(H, W, 3) uint8 or uint16 -> (scale H, scale W, 3). model: in eval mode, on the device to run on.

    strength: how much of what the network adds to a bicubic enlargement is added; of a SuperResolver. tta: the average
    over the eight turns and flips. colors: 'model', or 'photo' for its low frequencies. size: one of
    `superres.sizes.SIZES`, for a result of another size. Raises PhotoError if that is too large.
    """
    if isinstance(model, SuperResolver):
        model.strength = strength
    wanted = wanted_size(*photo.shape[:2], **size)
    times = 1 if wanted is None else passes_needed((photo.shape[0], photo.shape[1]), wanted, model.scale)
    if times == 2:
        log.info("%d x %d px: twice through the model", *photo.shape[1::-1])
    result = photo
    for _ in range(times):
        result = enlarge_once(model, result, tile, tta)
    if colors == "photo":
        result = with_colors_of(result, photo)
    return result if wanted is None else resize(result, wanted)


def enlarge_once(model: SuperResolver | OnnxModel, photo: np.ndarray, tile: int, tta: bool) -> np.ndarray:
    """(H, W, 3) -> (scale H, scale W, 3), one time through the model, or eight times turned and flipped."""

    def enlarge(picture: np.ndarray) -> np.ndarray:
        return enhance(model, picture, model.scale, tile, grid=getattr(model, "grid", 1))

    if not tta:
        return enlarge(photo)
    total = np.zeros((model.scale * photo.shape[0], model.scale * photo.shape[1], 3), np.uint32)
    for turns in range(4):
        for flipped in (False, True):
            picture = np.rot90(photo[:, ::-1] if flipped else photo, turns)
            result = np.rot90(enlarge(np.ascontiguousarray(picture)), -turns)
            total += result[:, ::-1] if flipped else result
    return ((total + 4) // 8).astype(photo.dtype)


def enlarge_plainly(photo: np.ndarray, times: int, **options: Any) -> tuple[str, np.ndarray]:
    """What stands beside results of `enlarge_photo`: ('bicubic', (times H, times W, 3)), or the size of its options.

    photo: (H, W, 3) uint8. times: the scale of the models; if they enlarge nothing, it is ('photo', the photo itself).
    """
    height, width = photo.shape[:2]
    wanted = size_by(options, height, width)
    if wanted is None and times == 1:
        return "photo", photo
    height, width = wanted or (times * height, times * width)
    return "bicubic", np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.BICUBIC))


def enlarge_together(
    model: SuperResolver,
    photos: list[np.ndarray],
    strength: float = 1.0,
    tile: int = TILE,
    tta: bool = False,
    colors: str = "model",
    **size: Any,
) -> list[np.ndarray]:
    """`enlarge_photo` for photos of one size and depth, all of them in one pass of the model where that is possible."""
    if tta or colors != "model" or any(value is not None for value in size.values()):
        return [enlarge_photo(model, photo, strength, tile, tta=tta, colors=colors, **size) for photo in photos]
    model.strength = strength
    return enhance_all(model, photos)
