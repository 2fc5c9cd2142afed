"""Colours grey photos with a trained model; a photo's own lightness stays as sharp as it was.

python -m colorize.predict MODEL.safetensors PHOTO_OR_FOLDER... -o OUT
"""

from functools import partial

from colorize.model import load_model
from colorize.photo import PhotoColorizer, color_photo
from common.cli import get_predict_parser, number_at_least
from common.inference.batch import enhance_photos, plan_outputs
from common.models.fastai_export import import_exported_model
from common.runtime.command import run_command
from common.runtime.devices import get_device


def main():
    parser = get_predict_parser("colorize.predict", __doc__)
    add_color_arguments(parser)
    args = parser.parse_args()
    if args.trust_pickle:
        exported = import_exported_model(args.model, PhotoColorizer)
        model, size = exported.model, exported.size
    else:
        model, size = load_model(args.model)
    model = model.to(get_device(args.device))
    plan = plan_outputs(args.photos, args.output, args.overwrite)
    color = partial(color_photo, model, size=args.size or size, saturation=args.saturation, tile=args.tile)
    return 1 if enhance_photos(plan, color, keep_grey=False) else 0


def add_color_arguments(parser):
    """--size and --saturation."""
    parser.add_argument(
        "--size",
        type=number_at_least(1, int),
        help="short side, in pixels, of the copy on which colours are found [as trained]. Smaller sees more of the "
        "photo at once: calmer colours; larger finds the colours of smaller things, but knows less what they belong to",
    )
    parser.add_argument(
        "--saturation",
        type=number_at_least(0, float),
        default=1.0,
        help="what the colours are multiplied by [1]. In doubt between colours a network gives a pale one: try 1.5",
    )


if __name__ == "__main__":
    run_command(main)
