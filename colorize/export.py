"""Writes a trained model as an ONNX file, which onnxruntime and other programs run without this one.

python -m colorize.export MODEL.safetensors -o model.onnx
"""

from common.commands.export import export_command, get_export_parser
from common.runtime.command import run_command


def main() -> int:
    args = get_export_parser("colorize.export", __doc__).parse_args()
    from colorize.model import TASK_NAME, load_model

    model = load_model(args.model)
    return export_command(args, model, TASK_NAME, size=model.size)


if __name__ == "__main__":
    run_command(main)
