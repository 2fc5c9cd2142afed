"""Measures a colourisation model on colour photos, whose colours it does not see, against leaving them grey.

python -m colorize.evaluate MODEL.safetensors --data FOLDER
python -m colorize.evaluate --baseline grey --data FOLDER
"""

from functools import partial
from typing import TYPE_CHECKING

from colorize.arguments import STEADY, add_color_arguments
from common.commands.arguments import add_perceptual_arguments, mix_models
from common.commands.evaluate import (
    get_evaluate_parser,
    is_video,
    measure_video_command,
    open_evaluation,
    write_evaluation_page,
)
from common.runtime.command import run_command

if TYPE_CHECKING:
    import numpy as np


def main() -> None:
    parser = get_evaluate_parser("colorize.evaluate", __doc__, baseline="grey", steady=STEADY)
    add_color_arguments(parser)
    add_perceptual_arguments(parser)
    args = parser.parse_args()
    evaluation = open_evaluation(args)
    from colorize.measure import evaluate
    from colorize.model import load_model
    from colorize.photo import color_photo
    from common.evaluation.perceptual import get_perceptual_metrics

    models = {}
    if args.model is not None:
        model = mix_models(args, load_model(args.model), load_model).to(evaluation.device)
        options = {"size": args.size, "saturation": args.saturation, "tile": args.tile}
        models["prediction"] = partial(color_photo, model, **options)
    if is_video(args):
        from colorize.lab import to_grey
        from colorize.metrics import ab_error
        from colorize.photo import colors_of, with_colors
        from common.photos.pixels import to_pixels, to_tensor

        def prepare(frame: "np.ndarray") -> "tuple[np.ndarray, np.ndarray]":
            return to_pixels(to_grey(to_tensor(frame))), frame

        def error(result: "np.ndarray", true: "np.ndarray") -> float:
            return ab_error(to_tensor(result), to_tensor(true)).item()

        options = {"unit": "a* and b*", "split": colors_of, "join": with_colors}
        measure_video_command(args, evaluation, prepare, models["prediction"], {"ab error": error}, **options)
        return
    perceptual, _ = get_perceptual_metrics(args.vgg, args.lpips, evaluation.device)
    results = evaluate(evaluation.photos, models, evaluation.folder, perceptual=perceptual)
    write_evaluation_page(args, evaluation, results)


if __name__ == "__main__":
    run_command(main)
