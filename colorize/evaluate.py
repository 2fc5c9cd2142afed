"""Measures a colourisation model on colour photos, whose colours it is not shown, beside leaving them grey.

python -m colorize.evaluate MODEL.safetensors --data FOLDER
python -m colorize.evaluate --baseline grey --data FOLDER
"""

from functools import partial

import numpy as np

from colorize.lab import to_grey
from colorize.metrics import ab_error, colorfulness, psnr_ab
from colorize.model import load_model
from colorize.photo import color_photo, shrink
from colorize.predict import add_color_arguments
from common.cli import add_perceptual_arguments, get_evaluate_parser, get_results_folder
from common.data.folders import find_photos
from common.data.photos import PhotoError, open_photo
from common.data.pixels import round_to_8_bits, to_tensor
from common.evaluation.metrics import psnr, ssim
from common.evaluation.perceptual import get_perceptual_metrics
from common.evaluation.report import evaluate_photos
from common.runtime.command import run_command
from common.runtime.devices import get_device

SHOWN = 256  # short side of the photos that pictures show, in pixels


def measure(path, models, perceptual=None, shown=SHOWN):
    """PSNR and SSIM over RGB and colour errors of the grey photo and of `models` on one colour photo, and the pictures.

    models: {name: function((H, W, 3) uint8) -> the same, coloured}. perceptual: measures more, as of
    `common.evaluation.perceptual.get_perceptual_metrics`. All are measured in 8 bits at full size, and returned shrunk to `shown` pixels a
    short side. The colorfulness is off by its distance from the true photo's.
    Raises PhotoError if the photo cannot be measured.
    """
    pixels = np.asarray(open_photo(path))
    if min(pixels.shape[:2]) < 11:
        raise PhotoError(f"{path}: {pixels.shape[1]} x {pixels.shape[0]} px, too small to measure SSIM on")
    target = to_tensor(pixels)
    results = {"grey": round_to_8_bits(to_grey(target))}
    for name, color in models.items():
        results[name] = to_tensor(color(pixels))
    figures, colours = {}, colorfulness(target).item()
    for name, result in results.items():
        figures[f"{name} PSNR"] = psnr(result, target, peak=1).item()
        figures[f"{name} PSNR-ab"] = psnr_ab(result, target).item()
        figures[f"{name} SSIM"] = ssim(result, target, peak=1).item()
        figures[f"{name} ab error"] = ab_error(result, target).item()
        figures[f"{name} colorfulness"] = colorfulness(result).item()
        figures[f"{name} off by"] = abs(figures[f"{name} colorfulness"] - colours)
    figures["target colorfulness"] = colours
    if perceptual is not None:
        figures |= perceptual(results, target)
    return figures, {name: shrink(picture, shown)[0] for name, picture in {**results, "target": target}.items()}


def evaluate(paths, models, folder, **options):
    """`common.evaluation.report.evaluate_photos` for colourisation; options: of `measure`."""
    return evaluate_photos(paths, partial(measure, models=models, **options), folder)


def main():
    parser = get_evaluate_parser("colorize.evaluate", __doc__, baseline="grey")
    add_color_arguments(parser)
    add_perceptual_arguments(parser)
    args = parser.parse_args()
    folder = get_results_folder(args)
    paths = find_photos(args.data)
    models, device = {}, get_device(args.device)
    if args.model is not None:
        model, size = load_model(args.model)
        options = {"size": args.size or size, "saturation": args.saturation, "tile": args.tile}
        models["prediction"] = partial(color_photo, model.to(device), **options)
    perceptual, _ = get_perceptual_metrics(args.vgg, args.lpips, device)
    evaluate(paths, models, folder, perceptual=perceptual)


if __name__ == "__main__":
    run_command(main)
