"""A photo enlarged, by a model or an ONNX file."""

import numpy as np

from common.inference.tile_layout import TILE
from common.inference.tiles import enhance
from common.inference.tiles import enhance_together as enhance_all
from common.models.onnx_model import OnnxModel
from superres.network import SuperResolver


def enlarge_photo(
    model: SuperResolver | OnnxModel, photo: np.ndarray, strength: float = 1.0, tile: int = TILE
) -> np.ndarray:
    """(H, W, 3) uint8 or uint16 -> (scale H, scale W, 3). model: in eval mode, on the device to run on.

    strength: how much of what the network adds to a bicubic enlargement is added; of a SuperResolver.
    """
    if isinstance(model, SuperResolver):
        model.strength = strength
    return enhance(model, photo, model.scale, tile, grid=getattr(model, "grid", 1))


def enlarge_together(model: SuperResolver, photos: list[np.ndarray], strength: float = 1.0) -> list[np.ndarray]:
    """`enlarge_photo` for photos of one size and depth, all of them in one pass of the model."""
    model.strength = strength
    return enhance_all(model, photos)
