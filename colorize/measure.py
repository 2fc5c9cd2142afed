"""How far coloured photos are from the true ones, beside leaving them grey."""

from argparse import Namespace
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from colorize.config import Config
from colorize.frechet import SetDistance, get_set_distance
from colorize.lab import to_grey
from colorize.metrics import ab_error, ciede2000, psnr_ab
from colorize.network import Colorizer
from colorize.photo import color_photo, shrink
from common.evaluation.dial import write_curve
from common.evaluation.metrics import psnr, ssim
from common.evaluation.perceptual import MeasurePerceptual, get_perceptual_metrics, vgg16_at_hand
from common.evaluation.report import Results, evaluate_photos
from common.losses.color import colorfulness
from common.photos.flat import open_photo
from common.photos.open import PhotoError
from common.photos.pixels import round_to_8_bits, to_pixels, to_tensor
from common.runtime import processes
from common.runtime.errors import UserError
from common.videos.measure import VideoMeasure

DIAL = "vividness"  # an option, and the name of its table and plot
SHOWN_SIZE = 256  # short side of the photos in pictures, in pixels

ColorPhoto = Callable[[np.ndarray], np.ndarray]  # (H, W, 3) uint8 -> the same, coloured


def measure_photo(
    path: Path,
    models: Mapping[str, ColorPhoto],
    perceptual: MeasurePerceptual | None = None,
    shown_size: int = SHOWN_SIZE,
    together: SetDistance | None = None,
) -> tuple[dict[str, float], dict[str, Tensor]]:
    """PSNR and SSIM over RGB and colour errors of the grey photo and of `models` on one colour photo, and the pictures.

    perceptual: measures more, see `common.evaluation.perceptual`. together: takes the pictures, too. All are measured
    in 8 bits at full size, and returned shrunk to `shown_size` pixels a short side. 'off by' is the distance of the
    colourfulness from the true photo's. Raises PhotoError if the photo cannot be measured.
    """
    pixels = np.asarray(open_photo(path))
    if min(pixels.shape[:2]) < 11:
        raise PhotoError(f"{path}: {pixels.shape[1]} x {pixels.shape[0]} px, too small to measure SSIM on")
    target = to_tensor(pixels)
    results = {"grey": round_to_8_bits(to_grey(target))}
    for name, color in models.items():
        results[name] = to_tensor(color(pixels))
    figures: dict[str, float] = {}
    true_colorfulness = colorfulness(target).item()
    for name, result in results.items():
        figures[f"{name} PSNR"] = psnr(result, target, peak=1).item()
        figures[f"{name} PSNR-ab"] = psnr_ab(result, target).item()
        figures[f"{name} SSIM"] = ssim(result, target, peak=1).item()
        figures[f"{name} ab error"] = ab_error(result, target).item()
        figures[f"{name} CIEDE2000"] = ciede2000(result, target)
        figures[f"{name} colorfulness"] = colorfulness(result).item()
        figures[f"{name} off by"] = abs(figures[f"{name} colorfulness"] - true_colorfulness)
    figures["target colorfulness"] = true_colorfulness
    if perceptual is not None:
        figures |= perceptual(results, target)
    if together is not None:
        together.add({**results, "target": target})
    pictures = {**results, "target": target}
    return figures, {name: shrink(picture, shown_size)[0] for name, picture in pictures.items()}


def measure_all(
    paths: list[Path],
    models: Mapping[str, ColorPhoto],
    folder: Path | None,
    together: SetDistance | None = None,
    **options: Any,
) -> Results:
    """`common.evaluation.report.evaluate_photos` for colourisation; options: of `measure_photo`."""
    measure = partial(measure_photo, models=models, together=together, **options)
    of_all = dict if together is None else together.figures
    return evaluate_photos(paths, measure, folder, metric="ab error", higher_is_better=False, measure_all=of_all)


def measure(
    models: Mapping[str, Colorizer],
    photos: list[Path],
    config: Config,
    folder: Path,
    perceptual: MeasurePerceptual | None,
) -> Results:
    """Measures models on photos, each at its own size; a study's pictures are smaller."""
    colorizers = {name: partial(color_photo, model) for name, model in models.items()}
    if perceptual is None:
        return measure_all(photos, colorizers, folder)
    together = get_set_distance(config.loss.vgg, processes.join(config.train.device))
    return measure_all(photos, colorizers, folder, together, perceptual=perceptual, shown_size=192)


def evaluate(
    args: Namespace, models: Mapping[str, Colorizer], photos: list[Path], folder: Path | None, device: torch.device
) -> Results | None:
    """Measures models, or none, as the arguments of `colorize.evaluate` say; None with --dial, which has its own table.

    Raises UserError if they contradict each other.
    """
    if args.dial is not None:
        measure_dial(args, models, photos, folder or Path(), device)
        return None
    perceptual, _ = get_perceptual_metrics(args.vgg, args.lpips, device)
    together = get_set_distance(vgg16_at_hand(args.vgg), device)
    colorizers = {name: color_as(args, model, args.vividness) for name, model in models.items()}
    return measure_all(photos, colorizers, folder, together, perceptual=perceptual)


def measure_dial(
    args: Namespace, models: Mapping[str, Colorizer], photos: list[Path], folder: Path, device: torch.device
) -> None:
    """Writes `vividness.csv` and `vividness.png`: error and colourfulness as --vividness is turned from 0 to 1.

    Raises UserError if there is no such dial.
    """
    if len(models) != 1 or args.vividness is not None:
        raise UserError("--dial: turns --vividness of a MODEL; leave out --vividness, --baseline and --steps")
    (model,) = models.values()
    turns = {f"{turn:.4g}": color_as(args, model, turn) for turn in np.linspace(0, 1, args.dial)}
    perceptual, _ = get_perceptual_metrics(args.vgg, args.lpips, device)
    results = measure_all(photos, turns, None, perceptual=perceptual)
    if processes.is_main():
        write_curve(results, list(turns), folder, DIAL, DIAL, ("ab error", "colorfulness"))


def color_as(args: Namespace, model: Colorizer, vividness: float | None) -> ColorPhoto:
    return partial(color_photo, model, size=args.size, saturation=args.saturation, vividness=vividness, tile=args.tile)


def measure_video(args: Namespace, model: Colorizer) -> VideoMeasure:
    """How far the colours of the video --data are from those that the model gives it. Raises UserError for --dial."""
    if args.dial is not None:
        raise UserError(f"--data {args.data}: a video is measured without --dial")

    def prepare(frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return to_pixels(to_grey(to_tensor(frame))), frame

    def error(result: np.ndarray, true: np.ndarray) -> float:
        return ab_error(to_tensor(result), to_tensor(true)).item()

    return VideoMeasure(prepare, color_as(args, model, args.vividness), {"ab error": error}, "a* and b*")
