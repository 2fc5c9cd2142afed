"""What a VGG16 sees in a photo; with a second one, such as a prediction, where the two differ, layer by layer.

python -m common.heatmaps photo.jpg -o seen.png
python -m common.heatmaps photo.jpg prediction.jpg -o differences.png --vgg vgg16.pth
"""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from common.commands.arguments import add_device_argument, get_parser, number_at_least, user_path
from common.config.losses import LAYER_NAMES
from common.runtime.command import run_command
from common.runtime.errors import UserError
from common.runtime.files import atomic_write, check_can_write, check_may_replace

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

MIN_SIDE = 16  # pixels: four times halved, one is left
LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")


def main() -> int:
    parser = get_parser("common.heatmaps", __doc__)
    parser.add_argument("photo", type=user_path)
    parser.add_argument("other", nargs="?", type=user_path, metavar="PHOTO2", help="of the same size as the first")
    parser.add_argument("-o", "--output", type=user_path, required=True, metavar="OUT.png")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT.png if it exists")
    parser.add_argument(
        "--vgg", default="torchvision", help="weights, as loss.vgg: torchvision, random or a file [torchvision]"
    )
    parser.add_argument(
        "--layers", nargs="+", choices=LAYER_NAMES, default=LAYERS, metavar="LAYER", help=f"[{' '.join(LAYERS)}]"
    )
    parser.add_argument("--channels", type=number_at_least(1, int), default=5, help="of each layer, of one photo [5]")
    parser.add_argument("--distance", choices=["l1", "mse", "relative"], default="l1", help="of two photos [l1]")
    parser.add_argument(
        "--size", type=number_at_least(32, int), default=512, help="longest side that a photo is shrunk to [512]"
    )
    add_device_argument(parser)
    args = parser.parse_args()
    check_output(args)
    from common.losses.activations import draw_activations, draw_differences
    from common.models.vgg16 import VGG16Features
    from common.runtime.devices import get_device

    device = get_device(args.device)
    photos = [open_tensor(path, args.size).to(device) for path in (args.photo, args.other) if path is not None]
    sizes = [f"{photo.shape[-1]} x {photo.shape[-2]}" for photo in photos]
    if len(set(sizes)) > 1:
        raise UserError(
            f"{args.photo} and {args.other} differ in size ({' and '.join(sizes)} px): they must be the same"
        )
    vgg = VGG16Features(args.layers, args.vgg, key="--vgg").to(device)
    if args.other is None:
        picture = draw_activations(photos[0], vgg, args.channels)
    else:
        named = list(zip((args.photo.name, args.other.name), photos, strict=True))
        picture = draw_differences(named, vgg, args.distance)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(args.output) as temporary:
        picture.save(temporary, format="PNG")
    log.info("%s  %d x %d", args.output, *picture.size)
    return 0


def check_output(args: argparse.Namespace) -> None:
    """Raises UserError if the picture cannot be written, or exists and is not to be replaced."""
    if args.output.suffix.lower() != ".png":
        raise UserError(f"-o {args.output}: must end in .png")
    check_may_replace([args.output], args.overwrite)
    check_can_write(args.output.parent)


def open_tensor(path: Path, size: int) -> "Tensor":
    """(1, 3, H, W) in [0, 1], shrunk to at most `size` pixels a side. Raises UserError if it cannot be used."""

    from common.photos.flat import open_photo
    from common.photos.open import PhotoError
    from common.photos.pixels import to_tensor

    try:
        photo = open_photo(path)
    except PhotoError as error:
        raise UserError(str(error)) from None
    if max(photo.size) > size:
        log.info("%s: shrunk from %d x %d", path, *photo.size)
        photo.thumbnail((size, size))
    if min(photo.size) < MIN_SIDE:
        raise UserError(f"{path}: {photo.width} x {photo.height} px; each side must have at least {MIN_SIDE}")
    return to_tensor(photo)


if __name__ == "__main__":
    run_command(main)
