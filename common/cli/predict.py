"""The command line of `predict`."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from common.cli.arguments import (
    add_blend_arguments,
    add_device_argument,
    add_precision_argument,
    add_steady_argument,
    add_tile_argument,
    get_parser,
    mix_models,
    model_path,
    number_at_least,
    user_path,
)
from common.runtime.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from common.models.onnx_model import OnnxModel

Model = TypeVar("Model", bound="nn.Module")


def get_predict_parser(module: str, doc: str | None, steady: float = 0) -> argparse.ArgumentParser:
    """MODEL PHOTO_OR_FOLDER... -o OUT [--overwrite | --skip-existing] [--format] [--quality] [--tile] [--device] ...

    steady: the default of --steady.
    """
    parser = get_parser(module, doc)
    parser.set_defaults(task=module.partition(".")[0], default_steady=steady)
    parser.add_argument(
        "model", type=model_path, help="model.safetensors of a training run, or the run's folder, or an ONNX file"
    )
    parser.add_argument(
        "photos", nargs="+", type=user_path, help="photos, videos, and folders that are searched recursively"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=user_path,
        required=True,
        help="folder for the results, which keep the photos' names; for one photo also a file name",
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
    add_steady_argument(parser, steady)
    parser.add_argument(
        "--trust-pickle",
        action="store_true",
        help="open MODEL even if it is an export.pkl, which can run any code that somebody put into it",
    )
    parser.add_argument("--allow-huge", action="store_true", help="photos of more than 500 megapixels, too")
    add_blend_arguments(parser)
    add_tile_argument(parser)
    add_precision_argument(parser)
    add_device_argument(parser)
    return parser


def load_ready(
    load_model: Callable[[Path], Model],
    device: str,
    precision: str,
    path: Path,
    other: Path | None = None,
    part: float = 0.5,
) -> Model:
    """The model of `path`, mixed with a part of `other`, ready on the device."""
    from common.inference.ready import ready
    from common.models.blend import blend
    from common.runtime.devices import get_device

    model = load_model(path)
    if other is not None:
        blend(model, load_model(other), part, other)
    return ready(model, get_device(device), precision)


def open_model(
    args: argparse.Namespace,
    load_model: Callable[[Path], Model],
    import_exported: Callable[[Path], Model],
    prepare: Callable[[Model], Model] = lambda model: model,
) -> Model:
    """The MODEL of `predict`, mixed with --blend, ready on its --device.

    import_exported opens an export.pkl. prepare: what else is done to a torch model, before it is made ready.
    """
    if args.model.suffix.lower() == ".onnx":
        return open_onnx(args)  # pyright: ignore[reportReturnType] (it is called as a Model is)
    from common.inference.ready import ready
    from common.runtime.devices import get_device

    model = (import_exported if args.trust_pickle else load_model)(args.model)
    return ready(prepare(mix_models(args, model, load_model)), get_device(args.device), args.precision)


def open_onnx(args: argparse.Namespace) -> "OnnxModel":
    """The MODEL of `predict`, an ONNX file. Raises UserError for options that need a torch model."""
    from common.models.onnx_model import OnnxModel

    for flag, given in (
        ("--blend", args.blend is not None),
        ("--part", args.part is not None),
        ("--precision", args.precision != "auto"),
        ("--strength", args.task == "superres" and args.strength != 1),
        ("--trust-pickle", args.trust_pickle),
    ):
        if given:
            raise UserError(f"{flag}: not for an ONNX file; give the model.safetensors that it was made from")
    return OnnxModel(args.model, args.task, args.device)


def predict_command(
    args: argparse.Namespace,
    enhance: "Callable[[np.ndarray], np.ndarray]",
    keep_grey: bool = True,
    scale: int = 1,
    together: "Callable[[list[np.ndarray]], list[np.ndarray]] | None" = None,
    **mixing: Any,
) -> int:
    """Enhances the photos and films of `predict`, (H, W, 3) -> (scale H, scale W, 3), with the depth they have.

    together: the same for photos of one size that follow each other, as many as a tile has pixels for. mixing: of
    `common.films.steady.Steady`. Returns the exit status.
    """
    from common.data.photos import allow_huge_photos
    from common.inference.batch import Together, enhance_photos, is_film, plan_outputs

    if args.allow_huge:
        allow_huge_photos()
    suffix = f".{args.format}" if args.format else None
    plan = plan_outputs(args.photos, args.output, args.overwrite, args.skip_existing, suffix)
    small = Together(together, args.tile**2 // scale**2) if together else None
    films = [entry for entry in plan if is_film(entry[0])]
    photos = [entry for entry in plan if not is_film(entry[0])]
    for flag, given in (("--codec", args.codec), ("--steady", args.steady)):
        if given is not None and not films:
            raise UserError(f"{flag}: only for videos, and there is none")
    if films:
        from common.films.film import check_packages

        check_packages()
    failed = enhance_photos(photos, enhance, keep_grey, args.quality, scale, small) if photos else 0
    if films:
        from common.films.enhance import FilmOptions, enhance_films
        from common.films.steady import Steady

        amount = args.default_steady if args.steady is None else args.steady
        quality = {} if args.quality is None else {"quality": args.quality}
        options = FilmOptions(args.codec, scale=scale, **quality)
        failed += enhance_films(films, enhance, lambda: Steady(amount, **mixing), options, small)
    return 1 if failed else 0


def on_accelerator(model: "nn.Module") -> bool:
    """Whether several small photos at once are faster: a CPU is busy with one."""
    from common.inference.tiles import device_of

    return device_of(model).type != "cpu"
