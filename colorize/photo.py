"""A photo of any size coloured: its colours are found on a small copy and laid onto its own lightness, full size.

Eyes see colour coarsely. Given the true colours of a copy with 128 pixels a short side, enlarged bicubically and laid
onto the sharp lightness, the error in a* and b* is 0.6 on average (BSD100; of the grey photos 10.3).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from colorize.hints import Hint, read_hints, to_places
from colorize.lab import get_ab, set_ab, to_grey
from colorize.network import Colorizer
from colorize.palette import read_palette
from colorize.spread import Place, spread
from common.inference.precision import run_finite
from common.inference.tile_layout import TILE
from common.inference.tiles import device_of, enhance, enhance_together
from common.models.onnx_model import OnnxModel
from common.photos.flat import shrunk_size
from common.photos.pixels import to_8_bits, to_pixels, to_tensor
from common.runtime.errors import UserError
from common.runtime.out_of_memory import first_that_fits

BAND = 2**20  # pixels that are converted at once


def color_photo(
    model: Colorizer | OnnxModel,
    photo: np.ndarray,
    size: int | None = None,
    saturation: float = 1.0,
    vividness: float | None = None,
    hints: str | Path | list[Hint] | None = None,
    like: str | Path | None = None,
    tile: int = TILE,
) -> np.ndarray:
    """(H, W, 3) uint8 or uint16 -> the same, coloured by `model` (in eval mode, on the device to run on).

    size: short side in pixels of the copy on which colours are found; None: the model's. saturation: what a* and b* are
    multiplied by. vividness: in place of the model's own, see `Colorizer`. hints: true colours of some places, or a
    file of them. like: a photo whose palette to take. The photo's L* stays, within the rounding of three channels to 8
    bits (0.3); its own colours are ignored. Raises UserError for what the model does not know, hints that are wrong, or
    if `like` cannot be used.
    """
    grey = shrink_to_grey(photo, size or usual_size(model))
    with choosing(model, vividness, like):
        if hints is None and like is None:
            small = enhance(model, grey, tile=tile)
        else:
            hints = hints if isinstance(hints, list) else [] if hints is None else read_hints(Path(hints))
            places = to_places(hints, photo.shape[:2], grey.shape[:2])
            way = "the photo in one piece", partial(color_in_one_piece, model, grey, places, saturation)
            small, saturation = first_that_fits([way], hint=" (--size)"), 1.0
    return lay_colors(photo, small, saturation)


def leave_grey(photo: np.ndarray, times: int, **options: Any) -> tuple[str, np.ndarray]:
    """What stands beside results of `color_photo`: ('grey', (H, W, 3)), the photo without its colours."""
    return "grey", in_bands(to_grey, photo)


def usual_size(model: Colorizer | OnnxModel) -> int:
    """The short side in pixels of what a model was trained on."""
    return int(model.values["size"]) if isinstance(model, OnnxModel) else model.size


@torch.inference_mode()
def color_in_one_piece(
    model: Colorizer | OnnxModel, grey: np.ndarray, places: list[Place], saturation: float
) -> np.ndarray:
    """(h, w, 3) uint8 -> the same, coloured, with the colours of `places`.

    saturation: of the model's colours; those of the places are true. In one piece, since a hint reaches over the
    picture, and a palette is that of the whole. Raises UserError for an ONNX file.
    """
    if isinstance(model, OnnxModel):
        raise UserError("--hints: not for an ONNX file; give the model.safetensors that it was made from")
    device = device_of(model)
    picture = to_tensor(grey).to(device)
    result, _ = run_finite(model, picture)
    if saturation != 1:
        result = set_ab(result, saturation * get_ab(result))
    return to_pixels(spread(result, model.unet.at_eighth(picture), places) if places else result)


@contextmanager
def choosing(model: Colorizer | OnnxModel, vividness: float | None, like: str | Path | None) -> Iterator[None]:
    """Within it the model has another vividness, and the palette of a photo. Raises UserError if it names no colours to
    choose among, or that photo cannot be used."""
    if vividness is None and like is None:
        yield
        return
    if isinstance(model, OnnxModel) or model.centres is None:
        flag, value = ("--like", like) if vividness is None else ("--vividness", vividness)
        raise UserError(
            f"{flag} {value}: this model gives each pixel one colour; one that was trained with loss.color_classes has "
            "several to choose among (--saturation works with both)"
        )
    own = model.vividness, model.palette
    palette = own[1] if like is None else read_palette(like, model.centres.float())
    try:
        model.vividness, model.palette = own[0] if vividness is None else vividness, palette
        yield
    finally:
        model.vividness, model.palette = own


def color_together(
    model: Colorizer,
    photos: list[np.ndarray],
    size: int | None = None,
    saturation: float = 1.0,
    vividness: float | None = None,
    hints: str | Path | list[Hint] | None = None,
    like: str | Path | None = None,
    tile: int = TILE,
) -> list[np.ndarray]:
    """`color_photo` for photos of one size and depth: in one pass of the model, but for hints and palettes."""
    if hints is not None or like is not None:
        return [color_photo(model, photo, size, saturation, vividness, hints, like, tile) for photo in photos]
    with choosing(model, vividness, like):
        small = enhance_together(model, [shrink_to_grey(photo, size or model.size) for photo in photos])
    return [lay_colors(photo, colored, saturation) for photo, colored in zip(photos, small, strict=True)]


def shrink_to_grey(photo: np.ndarray, size: int) -> np.ndarray:
    """(H, W, 3) uint8 or uint16 -> (h, w, 3) uint8, grey, with a short side of `size` pixels; never larger."""
    height, width = photo.shape[:2]
    height, width = shrunk_size(height, width, size)
    grey = Image.fromarray(to_8_bits(in_bands(to_grey, photo)))
    return np.asarray(grey.resize((width, height), Image.Resampling.BILINEAR))


def lay_colors(photo: np.ndarray, small: np.ndarray, saturation: float) -> np.ndarray:
    """The photo with the a* and b* of a small coloured copy, times `saturation`."""
    ab = saturation * get_ab(to_tensor(small))
    return in_bands(set_ab, photo, enlarge(ab, *photo.shape[:2]))


def colors_of(photo: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 or uint16 -> (H, W, 2) float32: a* and b*."""
    return get_ab(to_tensor(photo))[0].permute(1, 2, 0).numpy()


def with_colors(ab: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """The photo (H, W, 3) with other a* and b*, (H, W, 2), on its own L*."""
    return in_bands(set_ab, photo, torch.from_numpy(ab).permute(2, 0, 1)[None])


def shrink(image: Tensor, size: int) -> Tensor:
    """(N, C, H, W) -> the same with a short side of `size` pixels; never larger."""
    height, width = image.shape[-2:]
    small = shrunk_size(height, width, size)
    return F.interpolate(image, size=small, mode="bilinear", antialias=True, align_corners=False)


def enlarge(ab: Tensor, height: int, width: int) -> Tensor:
    """(N, 2, h, w) -> (N, 2, height, width), bicubically."""
    return F.interpolate(ab, size=(height, width), mode="bicubic", align_corners=False)


@torch.inference_mode()
def in_bands(function: Callable[..., Tensor], photo: np.ndarray, *others: Tensor) -> np.ndarray:
    """function((1, 3, h, W), ...) on band after band of a (H, W, 3) photo, so that little memory is held."""
    rows = max(1, BAND // photo.shape[1])
    result = np.empty_like(photo)
    for top in range(0, len(photo), rows):
        band = slice(top, top + rows)
        output = function(to_tensor(photo[band]), *(other[:, :, band] for other in others))
        result[band] = to_pixels(output, photo.dtype)
    return result


class PhotoColorizer(nn.Module):
    """`color_photo` as a network, for fastai's export: (N, 3, H, W) in [0, 1] -> the same, coloured."""

    def __init__(self, model: Colorizer) -> None:
        super().__init__()
        self.model = model

    def forward(self, photo: Tensor) -> Tensor:
        photo = photo.as_subclass(Tensor)
        ab = get_ab(self.model(shrink(to_grey(photo), self.model.size)))
        return set_ab(photo, enlarge(ab, *photo.shape[-2:]))
