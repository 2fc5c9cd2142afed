"""Writes a trained model as an ONNX file, which onnxruntime and other programs run without this one.

python -m superres.export MODEL.safetensors -o model.onnx
"""

from common.cli.export import export_command, get_export_parser
from common.runtime.command import run_command


def main() -> int:
    args = get_export_parser("superres.export", __doc__).parse_args()
    from superres.model import TASK_NAME, load_model
    from superres.plain import PlainResolver

    model = load_model(args.model)
    return export_command(args, model, PlainResolver, TASK_NAME, scale=model.scale)


if __name__ == "__main__":
    run_command(main)
