"""Measures a super-resolution model under the literature's protocol, against bicubic.

python -m superres.evaluate MODEL.safetensors --data FOLDER
python -m superres.evaluate MODEL.safetensors --data FOLDER --damages         JPEG, noise and blur, row by row
python -m superres.evaluate --baseline bicubic --scale 4 --data FOLDER
"""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from common.commands.arguments import add_perceptual_arguments, mix_models, number_at_least, user_path
from common.commands.evaluate import (
    Evaluation,
    get_evaluate_parser,
    is_video,
    measure_video_command,
    open_evaluation,
    write_evaluation_page,
)
from common.runtime.command import run_command
from common.runtime.errors import UserError
from superres.arguments import STEADY

if TYPE_CHECKING:
    from superres.data import Degrade
    from superres.model import SuperResolver
    from superres.pairs import PairInput

log = logging.getLogger(__name__)


def main() -> None:
    parser = get_evaluate_parser("superres.evaluate", __doc__, baseline="bicubic", steady=STEADY)
    add_perceptual_arguments(parser)
    parser.add_argument(
        "--low", type=user_path, help="folder of low sides, under the names of the photos in --data [made from them]"
    )
    parser.add_argument("--scale", type=int, choices=[2, 4, 8], help="for --baseline (a model knows its own)")
    parser.add_argument(
        "--damages", action="store_true", help="how the model does on JPEGs, noise and blur: a table, and damages.csv"
    )
    parser.add_argument(
        "--steps",
        type=number_at_least(2, int),
        help="measure so many mixtures with --blend: blend.csv, blend.png",
    )
    args = parser.parse_args()
    if args.damages and args.model is None:
        raise UserError("--damages needs a MODEL")
    if args.steps is not None and (args.blend is None or args.part is not None):
        raise UserError("--steps needs --blend OTHER, and measures all parts: leave out --part")
    if args.damages and (args.steps is not None or args.low is not None):
        raise UserError("--damages makes its own inputs from clean photos: leave out --steps and --low")
    if args.baseline and args.scale is None:
        raise UserError("--baseline bicubic needs --scale 2, 4 or 8")
    evaluation = open_evaluation(args)
    from common.evaluation.perceptual import get_perceptual_metrics
    from superres.data import Degrade, get_input
    from superres.dial import measure_dial
    from superres.measure import evaluate
    from superres.model import is_of_others, load_any_model, read_data_config
    from superres.pairs import PairInput, check_pairs
    from superres.robustness import measure_damages

    models, degrade = {}, Degrade(args.scale)
    if args.model is not None:
        model = load_any_model(args.model)
        if args.steps is None:
            model = mix_models(args, model, load_any_model)
        if args.scale not in (None, model.scale):
            raise UserError(f"--scale {args.scale}: {args.model} enlarges {model.scale} times")
        models["prediction"] = model.to(evaluation.device)
        degrade = Degrade(model.scale) if is_of_others(args.model) else get_input(read_data_config(args.model))
    if args.low is not None:
        check_pairs(evaluation.photos, args.data, args.low, degrade.scale)
        degrade = PairInput(args.data, args.low, degrade.scale)
    elif degrade.scale == 1 and not degrade.passes and not args.damages:
        of_others = args.model is not None and is_of_others(args.model)
        why = "does not say what it cleans" if of_others else "was trained on pairs of files, and so is measured"
        raise UserError(f"{args.model}: {why}: give the inputs with --low, or measure it with --damages")
    if degrade.passes and not args.damages:
        log.info("the input is made as in training, with its data.degrade")
    if args.damages:
        measure_damages(evaluation.photos, degrade.scale, models["prediction"], evaluation.folder, args.tile)
        return
    if is_video(args):
        measure_video_with(args, evaluation, models["prediction"], degrade)
        return
    perceptual, _ = get_perceptual_metrics(args.vgg, args.lpips, evaluation.device)
    if args.steps is not None:
        model, other, folder = models["prediction"], load_any_model(args.blend), evaluation.folder or Path()
        measure_dial(evaluation.photos, degrade, model, other, args.blend, args.steps, folder, perceptual, args.tile)
        return
    results = evaluate(evaluation.photos, degrade, models, evaluation.folder, perceptual=perceptual, tile=args.tile)
    write_evaluation_page(args, evaluation, results)


def measure_video_with(
    args: argparse.Namespace, evaluation: Evaluation, model: "SuperResolver", degrade: "Degrade | PairInput"
) -> None:
    """Measures how much the model flickers on the video --data, whose frames are shrunk for it."""
    from functools import partial

    import numpy as np

    from common.evaluation.metrics import psnr_y
    from common.inference.tiles import enhance
    from common.photos.pixels import to_pixels, to_tensor
    from superres.measure import get_border

    scale = model.scale

    def prepare(frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        height, width = (side // scale * scale for side in frame.shape[:2])
        sharp = frame[:height, :width]
        return to_pixels(degrade.low_of(args.data, to_tensor(sharp))), sharp

    def fidelity(result: np.ndarray, true: np.ndarray) -> float:
        return psnr_y(to_tensor(result), to_tensor(true), get_border(scale)).item()

    enlarge = partial(enhance, model, scale=scale, tile=args.tile, grid=model.grid)
    measure_video_command(args, evaluation, prepare, enlarge, {"PSNR-Y": fidelity})


if __name__ == "__main__":
    run_command(main)
