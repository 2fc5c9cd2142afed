"""The command line of `export`."""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from common.cli.arguments import get_parser, model_path, number_at_least, user_path
from common.runtime.errors import UserError
from common.runtime.files import check_can_write

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger(__name__)


def get_export_parser(module: str, doc: str | None) -> argparse.ArgumentParser:
    """MODEL -o FILE.onnx [--overwrite] [--half] [--opset N]."""
    parser = get_parser(module, doc)
    parser.add_argument("model", type=model_path, help="model.safetensors of a training run, or the run's folder")
    parser.add_argument("-o", "--output", type=user_path, metavar="FILE.onnx")
    parser.add_argument("--overwrite", action="store_true", help="replace the file if it exists")
    parser.add_argument("--half", action="store_true", help="weights in float16: half the size")
    parser.add_argument(
        "--opset",
        type=number_at_least(18, int, at_most=23),
        metavar="N",
        help="of ONNX's operators, 18 to 23: an older one opens in older programs [what torch takes]",
    )
    return parser


def export_command(args: argparse.Namespace, model: "nn.Module", task: str, **values: int) -> int:
    """Writes the ONNX file; returns the exit status. values: what its metadata says besides the task."""
    from common.models.onnx_export import export_onnx

    if args.output is None:
        raise UserError("give the file to write with -o FILE.onnx")
    check_output(args.output, ".onnx", args.overwrite)
    made = export_onnx(args.output, model, {"task": task, **values}, args.half, args.opset)
    size = args.output.stat().st_size / 1e6
    log.info("%s  %.1f MB; at most %.4f of 255 off torch's results", args.output, size, 255 * made.difference)
    log.info("opset %d: opens in onnxruntime %s or newer", made.opset, made.onnxruntime)
    return 0


def check_output(path: Path, suffix: str, overwrite: bool) -> None:
    """Raises UserError if the file may not be written, or has another suffix."""
    if path.suffix.lower() != suffix:
        raise UserError(f"{path}: must end in {suffix}")
    if path.exists() and not overwrite:
        raise UserError(f"{path}: exists; add --overwrite, or give another name")
    check_can_write(path.parent)
