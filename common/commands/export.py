"""`python -m TASK.export`: a trained model as a file that other programs run."""

import logging
from functools import partial
from pathlib import Path
from typing import NoReturn

from common.commands.arguments import add_options, get_parser, model_path, number_at_least, user_path, values_of
from common.runtime.command import run_command
from common.runtime.errors import UserError
from common.runtime.files import check_can_write, check_may_replace
from common.task import Task

log = logging.getLogger(__name__)


def export(task: Task, doc: str | None) -> NoReturn:
    """MODEL -o FILE.onnx [--overwrite] [--half], or MODEL --FORMAT FILE."""
    run_command(partial(export_command, task, doc))


def export_command(task: Task, doc: str | None) -> None:
    """Writes the file that the command line asks for. Raises UserError if it cannot."""
    parser = get_parser(f"{task.name}.export", doc)
    parser.add_argument("model", type=model_path, help="model.safetensors of a training run, or the run's folder")
    parser.add_argument("-o", "--output", type=user_path, metavar="FILE.onnx")
    for name, what in task.formats.items():
        parser.add_argument(f"--{name}", type=user_path, metavar="OUT.safetensors", help=what)
    parser.add_argument("--overwrite", action="store_true", help="replace the file if it exists")
    parser.add_argument("--half", action="store_true", help="with -o: weights in float16, half the size")
    parser.add_argument(
        "--opset",
        type=number_at_least(18, int, at_most=23),
        metavar="N",
        help="of ONNX's operators, 18 to 23: an older one opens in older programs [what torch takes]",
    )
    opening = [option for option in task.options if option.at_opening]
    add_options(parser, opening)
    args = parser.parse_args()
    wanted = {name: getattr(args, name) for name in task.formats if getattr(args, name) is not None}
    if len(wanted) + (args.output is not None) != 1:
        flags = ["-o FILE.onnx", *(f"--{name} OUT.safetensors" for name in task.formats)]
        raise UserError(f"give {'one of ' * (len(flags) > 1)}{' and '.join(flags)}")
    for path in wanted.values():
        check_output(path, ".safetensors", args.overwrite)
        for flag, given in (("--half", args.half), ("--opset", args.opset is not None)):
            if given:
                raise UserError(f"{flag}: only with -o FILE.onnx")
    if args.output is not None:
        check_output(args.output, ".onnx", args.overwrite)
    use = task.use()
    model = use.choose(use.load(args.model), **values_of(opening, args, at_opening=True))
    for name, path in wanted.items():
        use.formats[name](path, model)
    if args.output is None:
        return
    from common.models.onnx_export import export_onnx

    network, values = use.to_onnx(model)
    try:
        made = export_onnx(args.output, network, {"task": task.name, **values}, args.half, args.opset)
    except UserError:
        raise
    except Exception as error:  # of torch's exporter or of onnxruntime, which have many
        others = "".join(f". Other programs may open its weights: --{name} OUT.safetensors" for name in task.formats)
        why = type(error).__name__
        raise UserError(f"this model cannot be written as ONNX ({why}; --debug shows where){others}") from error
    size = args.output.stat().st_size / 1e6
    log.info("%s  %.1f MB; at most %.4f of 255 off torch's results", args.output, size, 255 * made.difference)
    log.info("opset %d: opens in onnxruntime %s or newer", made.opset, made.onnxruntime)


def check_output(path: Path, suffix: str, overwrite: bool) -> None:
    """Raises UserError if the file may not be written, or has another suffix."""
    if path.suffix.lower() != suffix:
        raise UserError(f"{path}: must end in {suffix}")
    check_may_replace([path], overwrite)
    check_can_write(path.parent)
