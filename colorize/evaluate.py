"""Measures a colourisation model on colour photos, whose colours it does not see, against leaving them grey.

python -m colorize.evaluate MODEL.safetensors --data FOLDER
python -m colorize.evaluate --baseline grey --data FOLDER
"""

from functools import partial

from colorize.arguments import add_color_arguments
from common.cli.arguments import add_perceptual_arguments, mix_models
from common.cli.evaluate import get_evaluate_parser, open_evaluation, write_evaluation_page
from common.runtime.command import run_command


def main() -> None:
    parser = get_evaluate_parser("colorize.evaluate", __doc__, baseline="grey")
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
    perceptual, _ = get_perceptual_metrics(args.vgg, args.lpips, evaluation.device)
    results = evaluate(evaluation.photos, models, evaluation.folder, perceptual=perceptual)
    write_evaluation_page(args, evaluation, results)


if __name__ == "__main__":
    run_command(main)
