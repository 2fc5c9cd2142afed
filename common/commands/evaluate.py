"""The command line of `evaluate`."""

import argparse
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.commands.arguments import (
    add_blend_arguments,
    add_device_argument,
    add_steady_argument,
    add_tile_argument,
    get_parser,
    model_path,
    user_path,
)
from common.photos.formats import VIDEO_SUFFIXES
from common.runtime.errors import ResultNotFinite, UserError
from common.runtime.files import check_can_write, check_may_replace

if TYPE_CHECKING:
    import numpy as np
    import torch

    from common.evaluation.report import Results


log = logging.getLogger(__name__)

VIDEO_TABLE = "flicker.csv"  # in the folder for results
NOT_FOR_VIDEOS = ("damages", "steps", "low", "optimize")


def get_evaluate_parser(
    module: str, doc: str | None, baseline: str | None = None, steady: float = 0
) -> argparse.ArgumentParser:
    """MODEL --data FOLDER [-o FOLDER] [--overwrite] [--device]; with a baseline [MODEL] [--baseline NAME] [--tile].

    steady: the default of --steady, for videos.
    """
    parser = get_parser(module, doc)
    parser.add_argument(
        "model",
        nargs="?" if baseline else None,
        type=model_path,
        help="model.safetensors of a training run, or the run's folder",
    )
    parser.set_defaults(baseline=None, default_steady=steady)
    if baseline:
        parser.add_argument("--baseline", choices=[baseline], help=f"measure {baseline} alone, without a model")
        add_tile_argument(parser)
    add_blend_arguments(parser)
    add_steady_argument(parser, steady)
    parser.add_argument(
        "--data",
        type=user_path,
        required=True,
        help="folder of photos, searched recursively; or a video, to measure flicker",
    )
    parser.add_argument(
        "-o", "--output", type=user_path, help="folder for the results [evaluate_DATA beside the model]"
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
    if is_video(args) and (args.model is None or any(getattr(args, name, None) for name in NOT_FOR_VIDEOS)):
        options = ", ".join(f"--{name}" for name in NOT_FOR_VIDEOS)
        raise UserError(f"--data {args.data}: a video is measured with a MODEL, and without {options}")
    if args.steady is not None and not is_video(args):
        raise UserError("--steady: only for a video as --data")
    table = VIDEO_TABLE if is_video(args) else "results.csv"
    table = "damages.csv" if getattr(args, "damages", False) else table
    table = "blend.csv" if getattr(args, "steps", None) else table
    if folder is not None:
        check_may_replace([folder / table], args.overwrite, "give another folder with -o")
        check_can_write(folder)
    from common.batches.folders import find_photos
    from common.runtime.devices import get_device

    device = get_device(args.device)
    return Evaluation([] if is_video(args) else find_photos(args.data), folder, device)


def is_video(args: argparse.Namespace) -> bool:
    """Whether --data is a video."""
    return args.data.suffix.lower() in VIDEO_SUFFIXES and not args.data.is_dir()


def measure_video_command(
    args: argparse.Namespace,
    evaluation: Evaluation,
    prepare: "Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]",
    enhance: "Callable[[np.ndarray], np.ndarray]",
    measures: "Mapping[str, Callable[[np.ndarray, np.ndarray], float]]",
    unit: str = "1/255",
    **mixing: Any,
) -> None:
    """Logs how much a model flickers on the video --data, plain and steady, and writes `flicker.csv`.

    unit: of what changes. The other arguments are of `common.videos.flicker.measure_video` and, mixing, of
    `common.videos.steady.Steady`. Raises UserError if the video cannot be read.
    """
    from common.photos.open import PhotoError
    from common.runtime.files import atomic_write
    from common.videos.video import check_packages

    check_packages()
    from common.videos.flicker import measure_video
    from common.videos.steady import Steady

    amount = args.default_steady if args.steady is None else args.steady
    try:
        table = measure_video(args.data, prepare, enhance, Steady(amount, **mixing), measures)
    except PhotoError as error:
        raise UserError(str(error)) from None
    except ResultNotFinite as error:
        raise UserError(f"{args.data}: {error}") from None
    log.info("flicker: change from frame to frame where the video stays the same, in %s (--steady %g)", unit, amount)
    log.info("%s", table.round(3).to_string(na_rep=""))
    if evaluation.folder is not None:
        evaluation.folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(evaluation.folder / VIDEO_TABLE) as temporary:
            table.to_csv(temporary, index_label="result")
        log.info("table: %s", evaluation.folder / VIDEO_TABLE)


def write_evaluation_page(args: argparse.Namespace, evaluation: Evaluation, results: "Results") -> None:
    """Writes `report.html` of what `evaluate` measured, if it has a folder for results."""
    from common.evaluation.report import write_evaluation_page

    if evaluation.folder is not None:
        what = args.model or args.baseline
        title = f"{what.parent.name}/{what.name}" if args.model is not None else str(what)
        subtitle = f"{len(results.table)} photos of {args.data}"
        write_evaluation_page(evaluation.folder, results, title, subtitle)
