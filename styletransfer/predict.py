"""Paints photos in the style that a model has learned.

python -m styletransfer.predict MODEL.safetensors PHOTO_OR_FOLDER... -o OUT
"""

from functools import partial

from common.commands.arguments import number_at_least
from common.commands.predict import get_predict_parser, on_accelerator, open_model, predict_command
from common.runtime.command import run_command
from common.runtime.errors import UserError
from styletransfer.arguments import STEADY


def main() -> int:
    parser = get_predict_parser("styletransfer.predict", __doc__, steady=STEADY)
    parser.add_argument(
        "--strength",
        type=number_at_least(0.0, float, at_most=1.0),
        default=1.0,
        help="0 the photo, 1 the painting, or between [1]",
    )
    parser.add_argument("--keep-colors", action="store_true", help="the photo's own colours, the painting's lightness")
    parser.add_argument(
        "--style",
        metavar="NAME",
        help="of a model of several styles: one by its name, or a mix, as in starry_night:0.6,wave:0.4",
    )
    args = parser.parse_args()
    from common.models.fastai_export import import_exported_model
    from styletransfer.model import Stylizer, in_style, load_model
    from styletransfer.photo import paint_photo, paint_together

    import_exported = partial(import_exported_model, model_class=Stylizer)
    model = open_model(args, load_model, import_exported, prepare=partial(in_style, words=args.style))
    if args.style is not None and not isinstance(model, Stylizer):
        raise UserError("--style: an ONNX file has one style; choose it when the file is made (styletransfer.export)")
    options = {"strength": args.strength, "keep_colors": args.keep_colors}
    paint = partial(paint_photo, model, tile=args.tile, **options)
    together = partial(paint_together, model, **options) if on_accelerator(model) else None
    return predict_command(args, paint, keep_grey=False, together=together)


if __name__ == "__main__":
    run_command(main)
