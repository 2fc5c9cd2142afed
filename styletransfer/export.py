"""Writes a trained model as an ONNX file, which onnxruntime and other programs run without this one.

python -m styletransfer.export MODEL.safetensors -o model.onnx
"""

from common.commands.export import export_command, get_export_parser
from common.runtime.command import run_command


def main() -> int:
    parser = get_export_parser("styletransfer.export", __doc__)
    parser.add_argument("--style", metavar="NAME", help="which of a model's several styles, or a mix of them")
    args = parser.parse_args()
    from styletransfer.model import TASK_NAME, in_style, load_model

    model = in_style(load_model(args.model), args.style)
    return export_command(args, model, TASK_NAME)


if __name__ == "__main__":
    run_command(main)
