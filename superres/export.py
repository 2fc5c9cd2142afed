"""Writes a trained model as a file that other programs run without this one.

python -m superres.export MODEL.safetensors -o model.onnx                   for onnxruntime and its like
python -m superres.export MODEL.safetensors --spandrel 2x_mine.safetensors    for chaiNNer, ComfyUI and others
"""

from common.cli.arguments import user_path
from common.cli.export import check_output, export_command, get_export_parser
from common.runtime.command import run_command
from common.runtime.errors import UserError


def main() -> int:
    parser = get_export_parser("superres.export", __doc__)
    parser.add_argument(
        "--spandrel",
        type=user_path,
        metavar="OUT.safetensors",
        help="the plain weights of a model with network: spandrel, which programs open that read files with spandrel",
    )
    args = parser.parse_args()
    if (args.output is None) == (args.spandrel is None):
        raise UserError("give one of -o FILE.onnx and --spandrel OUT.safetensors")
    if args.spandrel is not None:
        for flag, given in (("--half", args.half), ("--opset", args.opset is not None)):
            if given:
                raise UserError(f"{flag}: only with -o FILE.onnx")
        check_output(args.spandrel, ".safetensors", args.overwrite)
    from superres.model import TASK_NAME, load_model
    from superres.spandrel_export import export_spandrel, with_plain_convolutions

    model = load_model(args.model)
    if args.spandrel is not None:
        export_spandrel(args.spandrel, model)
        return 0
    try:
        return export_command(args, with_plain_convolutions(model), TASK_NAME, scale=model.scale)
    except UserError:
        raise
    except Exception as error:  # of torch's exporter or of onnxruntime, which have many
        if not hasattr(model.unet, "precisions"):
            raise  # no network of spandrel's: a bug
        name, why = type(model.unet.net).__name__, type(error).__name__
        raise UserError(
            f"{name} cannot be written as ONNX ({why}; --debug shows where). Other programs may open its weights: "
            "--spandrel OUT.safetensors"
        ) from error


if __name__ == "__main__":
    run_command(main)
