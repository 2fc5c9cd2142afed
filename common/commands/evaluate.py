"""`python -m TASK.evaluate`: a model measured on photos, beside a baseline; or the flicker of a video."""

import argparse
import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from common.commands.arguments import (
    add_device_argument,
    add_steady_argument,
    add_tile_argument,
    get_parser,
    mix_models,
    number_at_least,
    stem_of,
    user_path,
)
from common.commands.box import add_blend_arguments, find_model
from common.photos.formats import VIDEO_SUFFIXES
from common.runtime.command import run_command
from common.runtime.errors import ResultNotFinite, UserError
from common.runtime.files import check_can_write, check_may_replace
from common.task import Task, Use

if TYPE_CHECKING:
    import torch


log = logging.getLogger(__name__)

VIDEO_TABLE = "flicker.csv"  # in the folder for results


def evaluate(task: Task, doc: str | None) -> NoReturn:
    """[MODEL] --data FOLDER_OR_VIDEO [-o FOLDER] [--baseline NAME] [--blend OTHER [--part PART | --steps N]] ..."""
    run_command(partial(evaluate_command, task, doc))


def evaluate_command(task: Task, doc: str | None) -> None:
    """Measures as the command line says. Raises UserError if it contradicts itself, or results exist."""
    args = get_evaluate_parser(task, doc).parse_args()
    check_arguments(args)
    from common.runtime import processes

    device = processes.join(args.device, processes.PATIENCE)
    folder = processes.run_on_main(partial(get_folder, task, args))
    with processes.sharing_photos():
        measure(task, args, folder, device)


def measure(task: Task, args: argparse.Namespace, folder: Path | None, device: "torch.device") -> None:
    """The photos or the video of the command line. Of several processes each measures its share of the photos."""
    from common.batches.folders import RESULTS_MARKER, find_photos
    from common.evaluation.report import write_evaluation_page
    from common.runtime import processes

    measuring = task.measuring()
    if not processes.is_main() and is_video(args.data):
        return  # the main process measures it alone
    photos = [] if is_video(args.data) else find_photos(args.data)
    models = open_models(args, task.use(), device)
    if is_video(args.data):
        measure_video(task, args, models["prediction"], folder)
        return
    is_new = folder is not None and not folder.exists()
    results = measuring.evaluate(args, models, photos, None if args.steps else folder, device)
    if not processes.is_main():
        return
    if is_new and folder is not None and (args.steps or folder.is_dir()):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RESULTS_MARKER).touch()  # so that no training takes its pictures for photos
    if args.steps and results is not None:
        from common.evaluation.dial import write_curve

        write_curve(results, list(models), folder or Path())
    elif folder is not None and results is not None:
        title = str(args.baseline) if args.model is None else f"{args.model.absolute().parent.name}/{args.model.name}"
        how = ", ".join(settings(task, args))
        data = f"{len(results.table)} photos of {args.data}" + f"; with {how}" * bool(how)
        write_evaluation_page(folder, results, title, data)


def get_evaluate_parser(task: Task, doc: str | None) -> argparse.ArgumentParser:
    """Its command line."""
    parser = get_parser(f"{task.name}.evaluate", doc)
    parser.add_argument(
        "model",
        nargs="?" if task.baseline else None,
        type=partial(find_model, task),
        help="model.safetensors of a training run, or the run's folder, or a name of the models in the box",
    )
    parser.set_defaults(baseline=None)
    if task.baseline:
        parser.add_argument(
            "--baseline", choices=[task.baseline], help=f"measure {task.baseline} alone, without a model"
        )
    add_blend_arguments(parser, task)
    parser.add_argument(
        "--steps",
        type=number_at_least(2, int),
        help="measure so many mixtures with --blend: blend.csv, blend.png",
    )
    add_steady_argument(parser, task.steady)
    parser.add_argument(
        "--data",
        type=user_path,
        required=True,
        help="folder of photos, searched recursively; or a video, to measure flicker",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=user_path,
        help="folder for the results [evaluate_DATA beside the model; with --blend, say, evaluate-0.5-of-OTHER_DATA]",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace results that exist")
    add_tile_argument(parser)
    add_device_argument(parser)
    task.add_evaluate_arguments(parser)
    return parser


def check_arguments(args: argparse.Namespace) -> None:
    """Raises UserError if the arguments contradict each other."""
    if (args.model is None) == (args.baseline is None):
        raise UserError("give either a MODEL or --baseline")
    if args.blend is not None and args.model is None:
        raise UserError("--blend needs a MODEL to mix with")
    if args.part is not None and args.blend is None:
        raise UserError("--part needs --blend OTHER")
    if args.steps is not None and (args.blend is None or args.part is not None):
        raise UserError("--steps needs --blend OTHER, and measures all parts: leave out --part")
    if is_video(args.data) and (args.model is None or args.steps is not None):
        raise UserError(f"--data {args.data}: a video is measured with a MODEL, and without --steps")
    if args.steady is not None and not is_video(args.data):
        raise UserError("--steady: only for a video as --data")


def get_folder(task: Task, args: argparse.Namespace) -> Path | None:
    """The folder for the results; None for a baseline without -o. Raises UserError if results exist in it."""
    folder = args.output
    if folder is None and args.model is not None:
        if args.model.parent == task.box:
            raise UserError("-o FOLDER: needed for a model in the box, which has no folder of its own")
        name = "-".join(["evaluate", *settings(task, args)])
        folder = args.model.parent / f"{stem_of(args.model)}{name}_{args.data.resolve().name}"
    of_task = task.evaluate_table(args) or "results.csv"
    table = VIDEO_TABLE if is_video(args.data) else "blend.csv" if args.steps else of_task
    if folder is not None:
        check_may_replace([folder / table], args.overwrite, "give another folder with -o")
        check_can_write(folder)
    return folder


def settings(task: Task, args: argparse.Namespace) -> Iterator[str]:
    """What a model is measured with that is not as it was trained, in words: its figures are not the model's own."""
    if args.blend is not None and not args.steps:  # which measure the models themselves, too
        part = 0.5 if args.part is None else args.part
        yield f"{part:g}-of-{args.blend.stem if stem_of(args.blend) else args.blend.absolute().parent.name}"
    for name in task.other_inputs:
        if (path := getattr(args, name, None)) is not None:
            yield f"{name}-{path.resolve().name}"
    for option in task.options:
        value = getattr(args, option.name, option.default)
        if value != option.default and option.name not in task.resizing:
            value = value.stem if isinstance(value, Path) else str(value).replace(":", "-").replace("/", "-")
            yield option.name if value == "True" else f"{option.name}-{value}"


def is_video(path: Path) -> bool:
    """Whether --data is a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()


def open_models(args: argparse.Namespace, use: Use, device: "torch.device") -> dict[str, Any]:
    """{name in the table: model}: none for a baseline, one, or with --steps the mixtures."""
    if args.model is None:
        return {}
    from common.inference.ready import ready

    model = use.load(args.model)
    if args.steps is None:
        return {"prediction": ready(mix_models(args, model, use.load), device, "fp32")}
    from common.evaluation.dial import mixtures

    mixed = mixtures(model, use.load(args.blend), args.blend, args.steps)
    return {part: ready(mixture, device, "fp32") for part, mixture in mixed.items()}


def measure_video(task: Task, args: argparse.Namespace, model: Any, folder: Path | None) -> None:
    """Logs how much a model flickers on the video --data, plain and steady, and writes `flicker.csv`.

    Raises UserError if the video cannot be read.
    """
    from common.photos.open import PhotoError
    from common.runtime.files import atomic_write
    from common.videos.video import check_packages

    check_packages()
    for flag in ("vgg", "lpips"):
        if getattr(args, flag, None) is not None:
            raise UserError(f"--{flag}: not for a video, of which no distances are measured")
    from common.videos.flicker import measure_video as measure_flicker
    from common.videos.measure import VideoMeasure
    from common.videos.steady import Steady

    use, get_measure = task.use(), task.measuring().measure_video
    enhance = partial(use.enhance, model, tile=args.tile)
    what = get_measure(args, model) if get_measure else VideoMeasure(lambda frame: (frame, frame), enhance)
    amount = task.steady if args.steady is None else args.steady
    try:
        table = measure_flicker(args.data, what, Steady(amount, **use.mixing))
    except PhotoError as error:
        raise UserError(str(error)) from None
    except ResultNotFinite as error:
        raise UserError(f"{args.data}: {error}") from None
    where = "change from frame to frame where the video stays the same"
    log.info("flicker: %s, in %s (--steady %g)", where, what.unit, amount)
    log.info("%s", table.round(3).to_string(na_rep=""))
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / VIDEO_TABLE) as temporary:
            table.to_csv(temporary, index_label="result")
        log.info("table: %s", folder / VIDEO_TABLE)
