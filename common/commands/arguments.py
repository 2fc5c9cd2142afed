"""What the command lines of all tasks share: the parser, its types, and flags that several commands have."""

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from common.inference.tile_layout import TILE
from common.runtime.errors import UserError
from common.task import Option

if TYPE_CHECKING:
    from torch import nn

Model = TypeVar("Model", bound="nn.Module")
Number = TypeVar("Number", int, float)

# What `add_perceptual_arguments` may measure.
DISTANCES = ("VGG", "VGG-random", "DISTS", "DISTS-like", "LPIPS", "LPIPS-squeeze")


def get_parser(module: str, doc: str | None, **options: Any) -> argparse.ArgumentParser:
    """An ArgumentParser for `python -m module` whose help shows `doc`, the module's docstring, as it is written."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}", description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, **options
    )
    # Read by common.runtime.command.run_command.
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def user_path(word: str) -> Path:
    """An argparse type: a path, `~` expanded, as shells do not in `--output=~/out`."""
    return Path(word).expanduser()


KINDS = {str: str, Path: user_path}  # of options that are no numbers


def model_path(word: str) -> Path:
    """An argparse type: a model file, or the folder of the run that made it."""
    path = user_path(word)
    return path / "model.safetensors" if path.is_dir() else path


def stem_of(model: Path) -> str:
    """How names of files about a model begin, of which a folder may have several: nothing for a run's own."""
    return "" if model.name == "model.safetensors" else f"{model.stem}_"


def number_at_least(
    lowest: Number, number: Callable[[str], Number], at_most: Number | None = None
) -> Callable[[str], Number]:
    """An argparse type: a number (int or float) from `lowest` up, to `at_most` if given."""

    def convert(word: str) -> Number:
        value = number(word)
        if not lowest <= value < float("inf"):
            raise argparse.ArgumentTypeError(f"{word}: must be {lowest} or more")
        if at_most is not None and value > at_most:
            raise argparse.ArgumentTypeError(f"{word}: must be {at_most} or less")
        return value

    convert.__name__ = number.__name__  # argparse names it when the word is no number
    return convert


def add_device_argument(parser: argparse.ArgumentParser) -> None:
    """[--device NAME]."""
    parser.add_argument("--device", default="auto", help="auto (a GPU if there is one), cpu, cuda, cuda:1, mps, xpu")


def add_precision_argument(parser: argparse.ArgumentParser) -> None:
    """[--precision NAME]."""
    parser.add_argument(
        "--precision",
        choices=["auto", "fp32", "bf16", "fp16"],
        default="auto",
        help="auto: fp16 on CUDA; bf16 on a CPU that is faster with it, if a part of the first photo is no more than 1 "
        "of 255 off; else, and for photos of 16 bits, fp32",
    )


def add_tile_argument(parser: argparse.ArgumentParser) -> None:
    """[--tile PIXELS]."""
    parser.add_argument(
        "--tile",
        type=number_at_least(1, int),
        default=TILE,
        help=f"side of the tiles of a large result, in pixels [{TILE}]",
    )


def add_steady_argument(parser: argparse.ArgumentParser, default: float) -> None:
    """[--steady AMOUNT]."""
    parser.add_argument(
        "--steady",
        type=number_at_least(0.0, float, at_most=1.0),
        help="against flicker of videos: how much of the previous result is blended in, shifted along with the motion; "
        f"0 is none [{default:g}]",
    )


def add_perceptual_arguments(parser: argparse.ArgumentParser) -> None:
    """[--vgg WEIGHTS] [--lpips WEIGHTS]: of `common.evaluation.perceptual.get_perceptual_metrics`."""
    parser.add_argument(
        "--vgg",
        metavar="WEIGHTS",
        help="VGG16 to measure the VGG distance and DISTS with: torchvision (downloaded once, 528 MB), random, or a "
        ".pth or .safetensors file [torchvision if it was downloaded before]",
    )
    parser.add_argument(
        "--lpips",
        metavar="WEIGHTS",
        help="network to measure LPIPS with: squeeze (downloaded once, 5 MB), alex (233 MB), or a .pth or .safetensors "
        "file of either [alex or squeeze if it was downloaded before]",
    )


def add_options(parser: argparse.ArgumentParser, options: Sequence[Option]) -> None:
    """A flag for each of a task's options."""
    for option in options:
        if option.type is bool:
            parser.add_argument(option.flag, action="store_true", help=option.help)
            continue
        kind = KINDS[option.type] if option.type in KINDS else number_from(option)
        said = "" if option.default is None else f" [{option.default}]"
        metavar = None if option.choices else {str: "NAME", Path: "FILE"}.get(option.type)
        choices = option.choices or None
        help = option.help + said
        parser.add_argument(option.flag, type=kind, default=option.default, metavar=metavar, choices=choices, help=help)


def number_from(option: Option) -> Callable[[str], float]:
    """An argparse type: a number within an option's bounds."""
    number = int if option.type is int else float
    lowest = -math.inf if option.lowest is None else number(option.lowest)
    return number_at_least(lowest, number, None if option.highest is None else number(option.highest))


def values_of(options: Sequence[Option], args: argparse.Namespace, at_opening: bool = False) -> dict[str, Any]:
    """{name: value} of options about a photo, or about the opening of a model."""
    return {option.name: getattr(args, option.name) for option in options if option.at_opening == at_opening}


def mix_models(args: argparse.Namespace, model: Model, load_model: Callable[[Path], Model]) -> Model:
    """The model with --part of --blend, if that is given. Raises UserError if their shapes differ."""
    if args.blend is not None:
        from common.models.blend import blend

        blend(model, load_model(args.blend), 0.5 if args.part is None else args.part, args.blend)
    elif args.part is not None:
        raise UserError("--part needs --blend OTHER")
    return model
