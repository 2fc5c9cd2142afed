"""Measures a colourisation model on colour photos, whose colours it is not shown, beside leaving them grey.

python -m colorize.evaluate MODEL.safetensors --data FOLDER
python -m colorize.evaluate --baseline grey --data FOLDER
"""

from functools import partial

import numpy as np

from colorize.lab import to_grey
from colorize.metrics import ab_error, colourfulness, psnr_ab
from colorize.model import load_model
from colorize.photo import color_photo, shrink
from colorize.predict import add_color_arguments
from common.arguments import get_evaluate_parser, results_folder
from common.command import run_command
from common.folders import find_photos
from common.inference import get_device, to_tensor
from common.metrics import psnr, round_to_8_bits, ssim
from common.photos import PhotoError, open_photo
from common.report import evaluate_photos

SHOWN = 256  # short side of the photos that pictures show, in pixels


def measure(path, model=None, **options):
    """PSNR and SSIM over RGB and colour errors of the grey photo and of `model` on one colour photo, and the pictures.

    All are measured in 8 bits at full size, and returned shrunk. options: of `colorize.photo.color_photo`. The
    colourfulness is off by its distance from the true photo's.
    Raises PhotoError if the photo cannot be measured.
    """
    pixels = np.asarray(open_photo(path))
    if min(pixels.shape[:2]) < 11:
        raise PhotoError(f"{path}: {pixels.shape[1]} x {pixels.shape[0]} px, too small to measure SSIM on")
    target = to_tensor(pixels)
    results = {"grey": round_to_8_bits(to_grey(target))}
    if model is not None:
        results["prediction"] = to_tensor(color_photo(model, pixels, **options))
    figures, colours = {}, colourfulness(target).item()
    for name, result in results.items():
        figures[f"{name} PSNR"] = psnr(result, target, peak=1).item()
        figures[f"{name} PSNR-ab"] = psnr_ab(result, target).item()
        figures[f"{name} SSIM"] = ssim(result, target, peak=1).item()
        figures[f"{name} ab error"] = ab_error(result, target).item()
        figures[f"{name} colourfulness"] = colourfulness(result).item()
        figures[f"{name} off by"] = abs(figures[f"{name} colourfulness"] - colours)
    figures["target colourfulness"] = colours
    return figures, {name: shrink(picture, SHOWN)[0] for name, picture in {**results, "target": target}.items()}


def evaluate(paths, folder, model=None, **options):
    """`common.report.evaluate_photos` for colourisation; options: of `colorize.photo.color_photo`."""
    return evaluate_photos(paths, partial(measure, model=model, **options), folder)


def main():
    parser = get_evaluate_parser("colorize.evaluate", __doc__, baseline="grey")
    add_color_arguments(parser)
    args = parser.parse_args()
    folder = results_folder(args)
    paths = find_photos(args.data)
    if args.model is None:
        evaluate(paths, folder)
        return
    model, size = load_model(args.model)
    model = model.to(get_device(args.device))
    evaluate(paths, folder, model, size=args.size or size, saturation=args.saturation, tile=args.tile)


if __name__ == "__main__":
    run_command(main)
