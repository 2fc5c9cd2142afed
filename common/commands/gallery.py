"""`python -m TASK.gallery`: photos under several models on one page, to choose one."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from common.commands.arguments import (
    add_device_argument,
    add_options,
    add_precision_argument,
    add_tile_argument,
    get_parser,
    user_path,
    values_of,
)
from common.commands.box import find_model
from common.commands.opening import open_any_model
from common.runtime.command import run_command
from common.runtime.errors import UserError
from common.runtime.files import check_can_write, check_may_replace
from common.task import Task

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from common.evaluation.gallery import Candidate
    from common.inference.room import RoomOf


def gallery(task: Task, doc: str | None) -> NoReturn:
    """MODEL... --data PHOTOS [-o PAGE.html] [--overwrite] [--tile] [--precision] [--device] and the task's options."""
    run_command(partial(gallery_command, task, doc))


def gallery_command(task: Task, doc: str | None) -> int:
    """Writes the page as the command line says; returns the exit status: 1 if a photo was left out.

    Raises UserError, before a photo is enhanced, for a model that cannot be opened, models of different scales, or a
    page that exists.
    """
    args = get_gallery_parser(task, doc).parse_args()
    check_page(args.output, args.overwrite)
    options = values_of(task.options, args)
    task.check_options(options)
    from common.batches.folders import find_photos
    from common.evaluation.gallery import show_photos, write_gallery
    from common.models.names import name_models
    from common.runtime.devices import describe_device, get_device

    photos = [args.data] if args.data.is_file() else find_photos(args.data)
    files, use = name_models(args.models), task.use()
    models = {name: open_named(task, path, args) for name, path in files.items()}
    scales = find_scales(task, models, options)
    candidates = [
        get_candidate(files[name], name, model, partial(use.enhance, model, tile=args.tile, **options))
        for name, model in models.items()
    ]
    shown = show_photos(
        photos,
        candidates,
        lambda photo: use.plain(photo, scales[0], **options),
        largest_room(task, scales, options),
        any_size=dict.fromkeys([*task.resizing, *(o.name for o in task.options if o.type is Path)]),
    )
    args.output.parent.mkdir(parents=True, exist_ok=True)
    title, machine = f"{task.title}: which model?", describe_device(get_device(args.device))
    write_gallery(args.output, title, machine, candidates, shown)
    return 0 if len(shown) == len(photos) else 1


def get_gallery_parser(task: Task, doc: str | None) -> argparse.ArgumentParser:
    """Its command line."""
    parser = get_parser(f"{task.name}.gallery", doc)
    parser.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        type=partial(find_model, task),
        help=f"model files, also ONNX, or the folders of runs, or names of python -m {task.name}.models",
    )
    parser.add_argument(
        "--data", type=user_path, required=True, help="a photo, or a folder of photos, searched recursively"
    )
    parser.add_argument("-o", "--output", type=user_path, default=Path("gallery.html"), help="the page [gallery.html]")
    parser.add_argument("--overwrite", action="store_true", help="replace a page that exists")
    parser.set_defaults(blend=None, part=None, trust_pickle=False)  # of `common.commands.opening`
    add_tile_argument(parser)
    add_precision_argument(parser)
    add_device_argument(parser)
    add_options(parser, task.options)
    return parser


def check_page(path: Path, overwrite: bool) -> None:
    """Raises UserError if the page cannot be written, or exists and is not to be overwritten."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"-o {path}: must end in .html")
    if path.is_dir():
        raise UserError(f"-o {path}: a folder; name the page, as in {path / 'gallery.html'}")
    check_may_replace([path], overwrite)
    check_can_write(path.parent)


def open_named(task: Task, path: Path, args: argparse.Namespace) -> "nn.Module":
    """The model of a file. Raises UserError, which says which file it is about."""
    try:
        return open_any_model(task, path, args)
    except UserError as error:
        raise error if str(path) in str(error) else UserError(f"{path}: {error}") from None


def find_scales(task: Task, models: Mapping[str, "nn.Module"], options: Mapping[str, Any]) -> list[int]:
    """The scales of the models. Raises UserError if they have several, and no option gives their results one size."""
    names: dict[int, list[str]] = {}
    for name, model in models.items():
        names.setdefault(int(getattr(model, "scale", 1)), []).append(name)
    if len(names) > 1 and all(options[name] is None for name in task.resizing):
        said = "; ".join(f"{scale}x: {', '.join(those)}" for scale, those in sorted(names.items()))
        flags = ", ".join(option.flag for option in task.options if option.name in task.resizing)
        one_size = f", or one size for all results (one of {flags})" if flags else ""
        raise UserError(f"models of different scales ({said}): give models of one scale{one_size}")
    return sorted(names)


def largest_room(task: Task, scales: Sequence[int], options: Mapping[str, Any]) -> "RoomOf":
    """What a result of any of the models needs."""
    from common.inference.room import room_by

    rooms = [room_by(task.room, scale, options) for scale in scales]
    return lambda height, width: max((room(height, width) for room in rooms), key=lambda needed: needed.pixels)


def get_candidate(path: Path, name: str, model: "nn.Module", enhance: "Callable[..., np.ndarray]") -> "Candidate":
    """A model as the page shows it."""
    from common.evaluation.gallery import Candidate

    parameters = sum(parameter.numel() for parameter in model.parameters())  # an ONNX file shows none
    return Candidate(name, enhance, path.stat().st_size / 1e6, parameters or None)
