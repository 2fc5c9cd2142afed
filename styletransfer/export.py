"""Writes a trained model as an ONNX file, which onnxruntime and other programs run without this one.

python -m styletransfer.export MODEL.safetensors -o model.onnx
"""

from common.cli.export import export_command, get_export_parser
from common.runtime.command import run_command


def main() -> int:
    args = get_export_parser("styletransfer.export", __doc__).parse_args()
    from styletransfer.model import TASK_NAME, load_model
    from styletransfer.plain import PlainStylizer

    model = load_model(args.model)
    return export_command(args, model, PlainStylizer, TASK_NAME)


if __name__ == "__main__":
    run_command(main)
