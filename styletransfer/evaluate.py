"""Measures how well a model paints: its loss, that of optimising the pixels, and the seconds of both.

python -m styletransfer.evaluate MODEL.safetensors --data FOLDER
python -m styletransfer.evaluate MODEL.safetensors --data FOLDER --optimize 50 100 300 500 --size 512
"""

from common.commands.arguments import mix_models, number_at_least, user_path
from common.commands.evaluate import (
    get_evaluate_parser,
    is_video,
    measure_video_command,
    open_evaluation,
    write_evaluation_page,
)
from common.runtime.command import run_command
from common.runtime.errors import UserError
from styletransfer.arguments import STEADY


def main() -> None:
    parser = get_evaluate_parser("styletransfer.evaluate", __doc__, steady=STEADY)
    parser.add_argument(
        "--style",
        type=user_path,
        help="the style picture [style.png beside the model]; for a video the name of a style",
    )
    parser.add_argument("--vgg", help="VGG16 weights, as loss.vgg, if the model was trained with a file of them")
    parser.add_argument(
        "--optimize",
        nargs="+",
        type=number_at_least(1, int),
        default=[],
        metavar="N",
        help="compare with N iterations of L-BFGS",
    )
    parser.add_argument("--start", choices=["noise", "photo"], default="noise", help="where --optimize starts [noise]")
    parser.add_argument(
        "--size", type=number_at_least(32, int), default=256, help="of the squares, pixels a side [256]"
    )
    args = parser.parse_args()
    evaluation = open_evaluation(args)
    from common.losses.loss import PerceptualLoss
    from common.runtime.out_of_memory import out_of_memory_is_user_error
    from styletransfer.measure import evaluate
    from styletransfer.model import VGG_FROM_FILE, each_style, in_style, load_model, read_loss_and_style
    from styletransfer.style import STYLE_FILE, open_style, style_file, style_to_tensor

    if is_video(args):
        from functools import partial

        from styletransfer.photo import paint_photo

        model = in_style(mix_models(args, load_model(args.model), load_model), args.style and str(args.style))
        paint = partial(paint_photo, model.to(evaluation.device))
        measure_video_command(args, evaluation, lambda frame: (frame, frame), paint, {})
        return
    loss_config, style_config = read_loss_and_style(args.model)
    if args.vgg is not None:
        loss_config = loss_config.model_copy(update={"vgg": args.vgg})
    elif loss_config.vgg == VGG_FROM_FILE:
        raise UserError(f"{args.model}: was trained with a VGG16 from a file: name it with --vgg")
    model = mix_models(args, load_model(args.model), load_model).to(evaluation.device)
    if model.styles and (args.style is not None or args.optimize):
        raise UserError("--style, --optimize: not for a model of several styles, all of which are measured")
    paths = {name: style_file(args.model.parent, name) for name in model.styles}
    paths = paths or {"prediction": args.style or args.model.parent / STYLE_FILE}
    for path in paths.values():
        if not path.exists():
            hint = "put the pictures whose styles were learned there" if model.styles else "name it with --style"
            raise UserError(f"{path}: not found; {hint}")
    styles = {name: open_style(style_config.model_copy(update={"image": path})) for name, path in paths.items()}
    models = each_style(model)
    loss, iterations = PerceptualLoss(loss_config, *map(style_to_tensor, styles.values())), sorted(set(args.optimize))
    with out_of_memory_is_user_error(f"--size {args.size}"):
        photos, folder = evaluation.photos, evaluation.folder
        results = evaluate(photos, folder, styles, loss, models, args.size, iterations, args.start)
    write_evaluation_page(args, evaluation, results)


if __name__ == "__main__":
    run_command(main)
