"""Enlarges photos with a trained model.

python -m superres.predict MODEL.safetensors PHOTO_OR_FOLDER... -o OUT
python -m superres.predict 4x_OTHERS.pth PHOTO_OR_FOLDER... -o OUT      any model that spandrel recognises
"""

from functools import partial

from common.commands.arguments import number_at_least
from common.commands.predict import get_predict_parser, on_accelerator, open_model, predict_command
from common.runtime.command import run_command
from superres.arguments import STEADY


def main() -> int:
    parser = get_predict_parser("superres.predict", __doc__, steady=STEADY)
    parser.add_argument(
        "--strength",
        type=number_at_least(0.0, float, at_most=2.0),
        default=1.0,
        help="how much of what the network adds is added: 0 is bicubic, 1 the model [1]",
    )
    args = parser.parse_args()
    from common.inference.tiles import enhance, enhance_together
    from common.models.fastai_export import import_exported_model
    from superres.model import SuperResolver, check_precision, load_any_model

    model = open_model(args, load_any_model, partial(import_exported_model, model_class=SuperResolver))
    grid = 1
    if isinstance(model, SuperResolver):  # else an ONNX file
        check_precision(model, args.precision)
        model.strength, grid = args.strength, model.grid
    enlarge = partial(enhance, model, scale=model.scale, tile=args.tile, grid=grid)
    together = partial(enhance_together, model) if on_accelerator(model) else None
    return predict_command(args, enlarge, scale=model.scale, together=together)


if __name__ == "__main__":
    run_command(main)
