"""Colours grey photos with a trained model; a photo's own lightness stays as sharp as it was.

python -m colorize.predict MODEL.safetensors PHOTO_OR_FOLDER... -o OUT
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from colorize.arguments import STEADY, add_color_arguments
from common.commands.predict import get_predict_parser, on_accelerator, open_model, predict_command
from common.runtime.command import run_command

if TYPE_CHECKING:
    from colorize.model import Colorizer


def main() -> int:
    parser = get_predict_parser("colorize.predict", __doc__, steady=STEADY)
    add_color_arguments(parser)
    args = parser.parse_args()
    from colorize.model import load_model
    from colorize.photo import color_photo, color_together, colors_of, with_colors

    model = open_model(args, load_model, import_exported)
    options = {"size": args.size, "saturation": args.saturation}
    color = partial(color_photo, model, tile=args.tile, **options)
    together = partial(color_together, model, **options) if on_accelerator(model) else None
    return predict_command(args, color, keep_grey=False, together=together, split=colors_of, join=with_colors)


def import_exported(path: Path) -> "Colorizer":
    """The model in an export.pkl. This runs whatever code the file holds."""
    from colorize.photo import PhotoColorizer
    from common.models.fastai_export import import_exported_model

    return import_exported_model(path, PhotoColorizer).model


if __name__ == "__main__":
    run_command(main)
