"""How good super-resolution models are, in the literature's protocol, beside bicubic."""

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from common.evaluation.lattice import lattice
from common.evaluation.metrics import psnr_y, ssim_y
from common.evaluation.niqe import niqe
from common.evaluation.perceptual import MeasurePerceptual
from common.evaluation.report import Results, evaluate_photos
from common.inference.tile_layout import TILE
from common.photos.flat import open_photo
from common.photos.open import PhotoError
from common.photos.pixels import round_to_8_bits, to_pixels, to_tensor
from superres.bicubic import resize_bicubic
from superres.config import Config
from superres.data import Degrade, get_input
from superres.network import SuperResolver
from superres.pairs import PairInput
from superres.photo import enlarge_photo

DETAIL_SIDE, PAGE_SIDE = 160, 320  # of the squares in pictures and on pages, in sharp pixels


def baseline_name(scale: int) -> str:
    """What a model must be better than: bicubic enlargement; where nothing is enlarged the input."""
    return "bicubic" if scale > 1 else "input"


def periods(scale: int) -> list[int]:
    """In pixels, of the lattices that a pixel shuffle may leave: the scale, its half, and so on down to 2."""
    return [scale >> i for i in range(scale.bit_length() - 1)]


def get_border(scale: int) -> int:
    """Pixels that metrics leave out at each side: `scale`, as the literature does; none where nothing is enlarged."""
    return scale if scale > 1 else 0


def measure_photo(
    path: Path,
    degrade: Degrade | PairInput,
    models: Mapping[str, SuperResolver],
    perceptual: MeasurePerceptual | None = None,
    tile: int = TILE,
) -> tuple[dict[str, float], dict[str, Tensor]]:
    """PSNR-Y in dB, SSIM-Y and lattices of the baseline and of each of `models` on one photo, and details of them.

    The photo is cropped to a multiple of the scale, made small by `degrade`, enlarged, and compared as
    `common.evaluation.metrics` describes, with `scale` pixels shaved. models: {name: SuperResolver}. perceptual:
    measures more, see `common.evaluation.perceptual`; with it comes NIQE, of the photo itself too. Raises PhotoError if
    the photo cannot be read or is too small.
    """
    scale = degrade.scale
    sharp = to_tensor(open_photo(path))
    height, width = (side // scale * scale for side in sharp.shape[-2:])
    if min(height, width) < 2 * scale + 11:
        raise PhotoError(f"{path}: {sharp.shape[-1]} x {sharp.shape[-2]} px, too small to measure SSIM on")
    sharp = sharp[..., :height, :width]
    low = degrade.low_of(path, sharp)
    results = {baseline_name(scale): round_to_8_bits(resize_bicubic(low, scale))}
    for name, model in models.items():
        results[name] = to_tensor(enlarge_photo(model, to_pixels(low), tile=tile))
    figures: dict[str, float] = {}
    border = get_border(scale)
    for name, result in results.items():
        figures[f"{name} PSNR-Y"] = psnr_y(result, sharp, border).item()
        figures[f"{name} SSIM-Y"] = ssim_y(result, sharp, border).item()
        figures |= measured({f"{name} grid-{period}": lattice(result, sharp, period) for period in periods(scale)})
    if perceptual is not None:
        natural = {f"{name} NIQE": niqe(picture) for name, picture in (results | {"target": sharp}).items()}
        figures |= measured(natural) | perceptual(results, sharp)
    pictures = {"input": low, **results, "target": sharp}
    return figures, crop_detail({name: picture[0] for name, picture in pictures.items()}, PAGE_SIDE)


def measured(figures: Mapping[str, float]) -> dict[str, float]:
    """Those that are numbers: photos that are too small have no others."""
    return {key: value for key, value in figures.items() if not math.isnan(value)}


def crop_detail(pictures: Mapping[str, Tensor], side: int = DETAIL_SIDE) -> dict[str, Tensor]:
    """The square of each picture where the baseline is furthest from the target, since that is where models differ.

    pictures: 'input', 'bicubic' unless the scale is 1, 'target' and others, (3, H, W) -> (3, h, w), of at most `side`
    sharp pixels a side.
    """
    target, low = pictures["target"], pictures["input"]
    scale = target.shape[-1] // low.shape[-1]
    error = (pictures[baseline_name(scale)] - target).square().mean(dim=0)[None]
    size = [min(side, length) // scale * scale for length in target.shape[-2:]]
    means = F.avg_pool2d(F.avg_pool2d(error, scale), [length // scale for length in size], stride=4)
    top, left = (4 * int(i) for i in np.unravel_index(int(means.argmax()), means.shape[-2:]))
    squares = {}
    for name, picture in pictures.items():
        s = 1 if name == "input" else scale
        square = picture[:, s * top :, s * left :][:, : s * size[0] // scale, : s * size[1] // scale]
        squares[name] = square.clone()  # a view would keep the whole picture in memory
    return squares


def evaluate(
    paths: list[Path],
    degrade: Degrade | PairInput,
    models: Mapping[str, SuperResolver],
    folder: Path | None,
    zoom: int = 2,
    detail_side: int = DETAIL_SIDE,
    **options: Any,
) -> Results:
    """`common.evaluation.report.evaluate_photos` for super-resolution; options: of `measure_photo`."""
    measure = partial(measure_photo, degrade=degrade, models=models, **options)
    return evaluate_photos(paths, measure, folder, zoom, "PSNR-Y", True, partial(crop_detail, side=detail_side))


def measure(
    models: Mapping[str, SuperResolver],
    photos: list[Path],
    config: Config,
    folder: Path,
    perceptual: MeasurePerceptual | None,
) -> Results:
    """Measures models on held-out photos, of a run, or of a study, whose pictures show smaller details, enlarged."""
    zoom, side = (2, DETAIL_SIDE) if perceptual is None else (3, DETAIL_SIDE // 2)
    return evaluate(photos, get_input(config.data), models, folder, zoom, side, perceptual=perceptual)
