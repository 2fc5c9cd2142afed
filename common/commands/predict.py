"""`python -m TASK.predict`: photos and videos in, results out."""

import argparse
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from common.commands.arguments import (
    add_device_argument,
    add_options,
    add_precision_argument,
    add_steady_argument,
    add_tile_argument,
    get_parser,
    number_at_least,
    user_path,
    values_of,
)
from common.commands.box import add_blend_arguments, split_words
from common.commands.opening import open_any_model
from common.runtime.command import run_command
from common.runtime.errors import UserError
from common.task import Task

if TYPE_CHECKING:
    import numpy as np

    from common.inference.work import Together


log = logging.getLogger(__name__)


def predict(task: Task, doc: str | None) -> NoReturn:
    """MODEL PHOTO_OR_FOLDER... -o OUT [--overwrite | --skip-existing] [--format] [--quality] [--tile] [--device] ..."""
    run_command(partial(predict_command, task, doc))


def predict_command(task: Task, doc: str | None) -> int:
    """Enhances photos and videos, with the depth they have, as the command line says; returns the exit status."""
    args = get_predict_parser(task, doc).parse_intermixed_args()
    args.model, photos = split_words(task, args.words)
    args.photos = [user_path(word) for word in photos]
    from common.runtime import processes

    if processes.count() > 1:
        args.device = str(processes.join(args.device, processes.PATIENCE))
    options = values_of(task.options, args)
    task.check_options(options)
    model = open_any_model(task, args.model, args)
    from common.inference.plan import is_video, plan_outputs
    from common.inference.room import room_by
    from common.inference.tiles import device_of
    from common.inference.work import Together, enhance_photos
    from common.photos.open import allow_huge_photos

    if args.allow_huge:
        allow_huge_photos()
    suffix, scale = f".{args.format}" if args.format else None, getattr(model, "scale", 1)
    whole_plan = processes.run_on_main(
        partial(plan_outputs, args.photos, args.output, args.overwrite, args.skip_existing, suffix)
    )
    with processes.sharing_photos():
        plan = processes.my_share(whole_plan)
    videos = [entry for entry in plan if is_video(entry[0])]
    photos = [entry for entry in plan if not is_video(entry[0])]
    has_videos = any(is_video(path) for path, _ in whole_plan)
    for flag, given in (("--codec", args.codec), ("--steady", args.steady)):
        if given is not None and not has_videos and not args.skip_existing:
            raise UserError(f"{flag}: only for videos, and there is none")
    use = task.use()
    for name in task.resizing:
        if options[name] is not None and has_videos:
            raise UserError(f"--{name}: for photos alone; a video's result is {scale} times as large")
    enhance, together = partial(use.enhance, model, tile=args.tile, **options), None
    if device_of(model).type != "cpu":  # which one photo keeps busy
        together = Together(partial(use.enhance_together, model, tile=args.tile, **options), args.tile**2 // scale**2)

    def remark(path: Path, photo: "np.ndarray") -> None:
        if line := use.remark(model, photo, **options):
            log.info("%s: %s", path, line)

    room = room_by(task.room, scale, options)
    failed = enhance_photos(photos, enhance, task.keep_grey, args.quality, room, together, remark) if photos else 0
    if videos:
        failed += predict_videos(task, args, videos, enhance, scale, together, options)
    if processes.count() > 1:
        all_failed = round(processes.all_reduce_sum([float(failed)])[0])
        log.info("%d of %d made by %d processes", len(whole_plan) - all_failed, len(whole_plan), processes.count())
    return 1 if failed else 0


def predict_videos(
    task: Task,
    args: argparse.Namespace,
    videos: list[tuple[Path, Path]],
    enhance: Callable[..., Any],
    scale: int,
    together: "Together | None",
    values: dict[str, Any],
) -> int:
    """How many of the videos could not be enhanced. Raises UserError if a package is missing."""
    from common.videos.video import check_packages

    check_packages()
    from common.videos.enhance import VideoOptions, enhance_videos
    from common.videos.steady import Steady

    use, amount = task.use(), task.steady if args.steady is None else args.steady
    quality = {} if args.quality is None else {"quality": args.quality}
    options = VideoOptions(args.codec, scale=scale, loggers=(use.enhance.__module__,), **quality)
    begin = partial(use.in_video, enhance, **values)
    together = together if begin() is enhance else None  # frames that depend on each other come one by one
    return enhance_videos(videos, begin, lambda: Steady(amount, **use.mixing), options, together)


def get_predict_parser(task: Task, doc: str | None) -> argparse.ArgumentParser:
    """Its command line."""
    parser = get_parser(f"{task.name}.predict", doc)
    parser.add_argument(
        "words",
        nargs="+",
        metavar="[MODEL] PHOTO",
        help="MODEL: model.safetensors of a training run, or the run's folder, or an ONNX file, or a name of "
        f"python -m {task.name}.models; then photos, videos, and folders that are searched recursively",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=user_path,
        default=Path("enhanced"),
        help="folder for the results, which keep the photos' names; for one photo also a file name [enhanced]",
    )
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--overwrite", action="store_true", help="replace results that exist")
    existing.add_argument("--skip-existing", action="store_true", help="make only the results that do not exist")
    parser.add_argument("--format", choices=["jpg", "png", "tif", "webp"], help="of photos [each photo's own]")
    parser.add_argument(
        "--quality",
        type=number_at_least(1, int, at_most=100),
        help="of JPEG and WebP, 1 to 100 [95; WebP lossless unless the photo is a lossy WebP]; of videos [75]",
    )
    parser.add_argument(
        "--codec",
        choices=["h264", "h265", "vp9", "ffv1"],
        help="of videos; ffv1 is lossless [h264; h265 for 10 bits; vp9 for .webm]",
    )
    add_steady_argument(parser, task.steady)
    parser.add_argument(
        "--trust-pickle",
        action="store_true",
        help="open MODEL even if it is an export.pkl, which can run any code that somebody put into it",
    )
    parser.add_argument("--allow-huge", action="store_true", help="photos of more than 500 megapixels, too")
    add_blend_arguments(parser, task)
    add_tile_argument(parser)
    add_precision_argument(parser)
    add_device_argument(parser)
    add_options(parser, task.options)
    return parser
