"""The command line of `evaluate`."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from common.cli.arguments import (
    add_blend_arguments,
    add_device_argument,
    add_tile_argument,
    get_parser,
    model_path,
    user_path,
)
from common.runtime.errors import UserError
from common.runtime.files import check_can_write

if TYPE_CHECKING:
    import torch

    from common.evaluation.report import Results


def get_evaluate_parser(module: str, doc: str | None, baseline: str | None = None) -> argparse.ArgumentParser:
    """MODEL --data FOLDER [-o FOLDER] [--overwrite] [--device]; with a baseline [MODEL] [--baseline NAME] [--tile]."""
    parser = get_parser(module, doc)
    parser.add_argument(
        "model",
        nargs="?" if baseline else None,
        type=model_path,
        help="model.safetensors of a training run, or the run's folder",
    )
    parser.set_defaults(baseline=None)
    if baseline:
        parser.add_argument("--baseline", choices=[baseline], help=f"measure {baseline} alone, without a model")
        add_tile_argument(parser)
    add_blend_arguments(parser)
    parser.add_argument("--data", type=user_path, required=True, help="folder of photos, searched recursively")
    parser.add_argument(
        "-o", "--output", type=user_path, help="folder for results.csv and comparison.png [beside the model]"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace results that exist")
    add_device_argument(parser)
    return parser


@dataclass(frozen=True)
class Evaluation:
    """What `python -m TASK.evaluate` was asked to measure."""

    photos: list[Path]
    folder: Path | None  # for the results; None for a baseline without -o
    device: "torch.device"


def open_evaluation(args: argparse.Namespace) -> Evaluation:
    """Checks the arguments of `evaluate`. Raises UserError if they contradict each other or the results exist."""
    if (args.model is None) == (args.baseline is None):
        raise UserError("give either a MODEL or --baseline")
    if args.blend is not None and args.model is None:
        raise UserError("--blend needs a MODEL to mix with")
    if args.part is not None and args.blend is None:
        raise UserError("--part needs --blend OTHER")
    folder = args.output
    if folder is None and args.model is not None:
        of_model = "" if args.model.name == "model.safetensors" else f"{args.model.stem}_"  # several in one folder
        folder = args.model.parent / f"{of_model}evaluate_{args.data.resolve().name}"
    table = "damages.csv" if getattr(args, "damages", False) else "results.csv"
    table = "blend.csv" if getattr(args, "steps", None) else table
    if folder is not None and (folder / table).exists() and not args.overwrite:
        raise UserError(f"{folder / table}: exists; add --overwrite, or give another folder with -o")
    if folder is not None:
        check_can_write(folder)
    from common.data.folders import find_photos
    from common.runtime.devices import get_device

    return Evaluation(find_photos(args.data), folder, get_device(args.device))


def write_evaluation_page(args: argparse.Namespace, evaluation: Evaluation, results: "Results") -> None:
    """Writes `report.html` of what `evaluate` measured, if it has a folder for results."""
    from common.evaluation.report import write_evaluation_page

    if evaluation.folder is not None:
        what = args.model or args.baseline
        title = f"{what.parent.name}/{what.name}" if args.model is not None else str(what)
        subtitle = f"{len(results.table)} photos of {args.data}"
        write_evaluation_page(evaluation.folder, results, title, subtitle)
