"""Paints photos in the style that a model has learned.

python -m styletransfer.predict MODEL.safetensors PHOTO_OR_FOLDER... -o OUT
"""

from functools import partial

from common.cli import get_predict_parser, number_at_least
from common.inference.batch import enhance_photos, plan_outputs
from common.models.fastai_export import import_exported_model
from common.runtime.command import run_command
from common.runtime.devices import get_device
from styletransfer.model import Stylizer, load_model
from styletransfer.photo import paint_photo


def main():
    parser = get_predict_parser("styletransfer.predict", __doc__)
    parser.add_argument(
        "--strength",
        type=number_at_least(0, float, at_most=1),
        default=1.0,
        help="0 the photo, 1 the painting, or between [1]",
    )
    parser.add_argument("--keep-colors", action="store_true", help="the photo's own colours, the painting's lightness")
    args = parser.parse_args()
    model = import_exported_model(args.model, Stylizer) if args.trust_pickle else load_model(args.model)[0]
    model = model.to(get_device(args.device))
    plan = plan_outputs(args.photos, args.output, args.overwrite)
    paint = partial(paint_photo, model, strength=args.strength, keep_colors=args.keep_colors, tile=args.tile)
    return 1 if enhance_photos(plan, paint, keep_grey=False) else 0


if __name__ == "__main__":
    run_command(main)
