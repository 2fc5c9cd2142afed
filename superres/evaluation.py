"""What `superres.evaluate` measures: photos under the literature's protocol, or under damages, or a video's flicker."""

import logging
from argparse import Namespace
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch

from common.evaluation.metrics import psnr_y
from common.evaluation.perceptual import get_perceptual_metrics
from common.evaluation.report import Results
from common.photos.pixels import to_pixels, to_tensor
from common.runtime import processes
from common.runtime.errors import UserError
from common.videos.measure import VideoMeasure
from superres.data import Degrade, get_input
from superres.files import is_of_others, read_data_config
from superres.measure import evaluate as measure_photos
from superres.measure import get_border
from superres.network import SuperResolver
from superres.pairs import PairInput, check_pairs
from superres.photo import enlarge_photo
from superres.robustness import measure_damages

log = logging.getLogger(__name__)


def evaluate(
    args: Namespace, models: Mapping[str, SuperResolver], photos: list[Path], folder: Path | None, device: torch.device
) -> Results | None:
    """Measures models, or without one bicubic, on photos; None with --damages, which writes a table of its own.

    Raises UserError if the arguments contradict each other.
    """
    degrade = get_degradation(args, models)
    if args.damages:
        if folder is None or len(models) != 1 or args.low is not None:
            raise UserError("--damages needs a MODEL, and makes its own inputs: leave out --steps and --low")
        if not processes.is_main():
            return None
        perceptual, _ = get_perceptual_metrics(args.vgg, args.lpips, device)
        measure_damages(photos, degrade.scale, models["prediction"], folder, args.tile, perceptual)
        return None
    if args.low is not None:
        check_pairs(photos, args.data, args.low, degrade.scale, key="--low")
        degrade = PairInput(args.data, args.low, degrade.scale)
    elif degrade.scale == 1 and not degrade.passes:
        of_others = is_of_others(args.model)
        why = "does not say what it cleans" if of_others else "was trained on pairs of files, and so is measured"
        raise UserError(f"{args.model}: {why}: give the inputs with --low, or measure it with --damages")
    if degrade.passes:
        log.info("the input is made as in training, with its data.degrade")
    perceptual, _ = get_perceptual_metrics(args.vgg, args.lpips, device)
    return measure_photos(photos, degrade, models, folder, perceptual=perceptual, tile=args.tile)


def get_degradation(args: Namespace, models: Mapping[str, SuperResolver]) -> "Degrade | PairInput":
    """How inputs are made from photos: as in the model's training, where it says how. Raises UserError for --scale."""
    if not models:
        if args.scale is None:
            raise UserError("--baseline bicubic needs --scale 2, 4 or 8")
        return Degrade(args.scale)
    scale = next(iter(models.values())).scale
    if args.scale not in (None, scale):
        raise UserError(f"--scale {args.scale}: {args.model} enlarges {scale} times")
    return Degrade(scale) if is_of_others(args.model) else get_input(read_data_config(args.model))


def measure_video(args: Namespace, model: SuperResolver) -> VideoMeasure:
    """How far the video --data, shrunk and enlarged again, is from itself. Raises UserError for flags of photos."""
    if args.damages or args.low is not None:
        raise UserError(f"--data {args.data}: a video is measured without --damages and --low")
    degrade, scale = get_degradation(args, {"prediction": model}), model.scale

    def prepare(frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        height, width = (side // scale * scale for side in frame.shape[:2])
        sharp = frame[:height, :width]
        return to_pixels(degrade.low_of(args.data, to_tensor(sharp))), sharp

    def fidelity(result: np.ndarray, true: np.ndarray) -> float:
        return psnr_y(to_tensor(result), to_tensor(true), get_border(scale)).item()

    is_undamaged = scale == 1 and not degrade.passes  # nobody says what such a model gets: only flicker is measured
    fidelities = {} if is_undamaged else {"PSNR-Y": fidelity}
    return VideoMeasure(prepare, partial(enlarge_photo, model, tile=args.tile), fidelities)
