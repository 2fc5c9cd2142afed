"""Paints one photo by optimising its pixels, without a network (Gatys et al. 2015): slow, the reference.

python -m styletransfer.optimize PHOTO STYLE -o OUT.png
python -m styletransfer.optimize PHOTO STYLE -o OUT.png configs/styletransfer_demo.yaml loss.gram.weight=3
"""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from common.commands.arguments import add_device_argument, get_parser, number_at_least, user_path
from common.commands.configs import CONFIGS, find_config
from common.config.yaml_file import load_config
from common.photos.formats import WRITABLE_SUFFIXES
from common.runtime.command import run_command
from common.runtime.errors import UserError
from common.runtime.files import check_may_replace
from styletransfer.config import Config

if TYPE_CHECKING:
    from torch import Tensor

    from common.losses.loss import PerceptualLoss
    from common.photos.whole import Photo

log = logging.getLogger(__name__)

DEFAULT_CONFIG = CONFIGS / "styletransfer_johnson.yaml"
DEFAULT_WORDS = ["loss.features.weight=1"]  # L-BFGS does not lose the photo, as a network does
SHOWN_EVERY = 50  # iterations


def main() -> None:
    args = read_arguments()
    words, path = [*DEFAULT_WORDS, *args.config], DEFAULT_CONFIG
    if args.config and args.config[0].endswith((".yaml", ".yml")):
        path, words = find_config(Path(args.config[0])), args.config[1:]
    config = load_config(Config, path, words)
    if config.loss.balance != "none":
        raise UserError("loss.balance: shares are measured when a network is trained; give the weights that came of it")
    if config.loss.jitter:
        raise UserError("loss.jitter: moves the pictures that a network is trained on; here is but one; set it to 0")
    check_output(args)
    from PIL import Image

    from common.photos.flat import shrunk_size
    from common.photos.pixels import to_8_bits, to_tensor
    from common.photos.whole import read_photo, to_srgb_photo
    from common.runtime.devices import get_device
    from common.runtime.out_of_memory import out_of_memory_is_user_error
    from styletransfer.loss import StyleLoss
    from styletransfer.style import MIN_SIDE, open_style, style_to_tensors

    photo = to_srgb_photo(read_photo(args.photo))
    style = open_style(config.style.of_one_picture(args.style))
    height, width = shrunk_size(photo.rgb.shape[0], photo.rgb.shape[1], args.size)
    if min(height, width) < MIN_SIDE:
        raise UserError(f"{args.photo}: {width} x {height} px; each side must have at least {MIN_SIDE}")
    small = Image.fromarray(to_8_bits(photo.rgb)).resize((width, height), reducing_gap=3)
    device = get_device(args.device)
    loss = StyleLoss(config.loss, style_to_tensors(style, config.style)).to(device)
    with out_of_memory_is_user_error(f"--size {args.size}"):
        paint(to_tensor(small).to(device), loss, args, like=photo)


def read_arguments() -> argparse.Namespace:
    parser = get_parser("styletransfer.optimize", __doc__)
    parser.add_argument("photo", type=user_path, help="the photo to paint")
    parser.add_argument("style", type=user_path, help="the picture in whose style")
    parser.add_argument(
        "config",
        nargs="*",
        metavar="CONFIG.yaml section.key=value",
        help="whose loss and style.size are used [configs/styletransfer_johnson.yaml loss.features.weight=1]",
    )
    parser.add_argument(
        "-o", "--output", type=user_path, required=True, help="the picture to write, such as painted.png"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace it if it exists")
    parser.add_argument(
        "--size", type=number_at_least(32, int), default=256, help="short side of the result, in pixels [256]"
    )
    parser.add_argument("--iterations", type=number_at_least(1, int), default=500, help="steps of L-BFGS [500]")
    parser.add_argument("--start", choices=["noise", "photo"], default="photo", help="first picture [photo]")
    add_device_argument(parser)
    return parser.parse_intermixed_args()


def check_output(args: argparse.Namespace) -> None:
    """Raises UserError if the result cannot or must not be written."""
    output = args.output
    if output.suffix.lower() not in WRITABLE_SUFFIXES:
        raise UserError(f"{output}: must end in one of {' '.join(sorted(WRITABLE_SUFFIXES))}")
    if output.resolve() in (args.photo.resolve(), args.style.resolve()):
        raise UserError(f"{output}: is one of the pictures to read; give another name with -o")
    check_may_replace([output], args.overwrite)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{output.parent}: cannot be created as a folder for the result ({error.strerror})") from None


def paint(photo: "Tensor", loss: "PerceptualLoss", args: argparse.Namespace, like: "Photo") -> None:
    """Optimises, with a line and the picture so far every SHOWN_EVERY iterations."""
    import torch

    from common.photos.pixels import to_pixels
    from common.photos.write import write_photo
    from common.runtime.files import atomic_write
    from styletransfer.gatys import optimize
    from styletransfer.metrics import content_kept_metric, warn_if_content_lost

    stops = [*range(SHOWN_EVERY, args.iterations, SHOWN_EVERY), args.iterations]
    picture = photo
    for iteration, picture, _, seconds in optimize(photo, loss, stops, args.start):
        with torch.no_grad():
            total = loss(picture, photo).item()
        terms = "  ".join(f"{name} {value.item():.4g}" for name, value in loss.terms.items())
        log.info("%d/%d  loss %.4g  %s  %.0f s", iteration, args.iterations, total, terms, seconds)
        with atomic_write(args.output) as temporary:
            write_photo(temporary, to_pixels(picture, like.rgb.dtype), like, name=args.output)
    with torch.no_grad():
        warn_if_content_lost(content_kept_metric(loss)(picture, photo).item())
    log.info("%s", args.output)


if __name__ == "__main__":
    run_command(main)
