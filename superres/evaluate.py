"""Measures a super-resolution model in the literature's protocol, beside bicubic.

python -m superres.evaluate MODEL.safetensors --data FOLDER
python -m superres.evaluate --baseline bicubic --scale 4 --data FOLDER
"""

from functools import partial

import numpy as np
import torch.nn.functional as F

from common.cli import add_perceptual_arguments, get_evaluate_parser, get_results_folder
from common.data.folders import find_photos
from common.data.photos import PhotoError, open_photo
from common.data.pixels import round_to_8_bits, to_pixels, to_tensor
from common.evaluation.metrics import psnr_y, ssim_y
from common.evaluation.perceptual import get_perceptual_metrics
from common.evaluation.report import evaluate_photos
from common.inference.tile_layout import TILE
from common.inference.tiles import enhance
from common.runtime.command import run_command
from common.runtime.devices import get_device
from common.runtime.errors import UserError
from common.runtime.seeds import temporary_seed
from superres.data import Degrade
from superres.model import load_model, resize_bicubic

DETAIL = 160  # side of the squares that pictures show, in sharp pixels


def measure(path, degrade, models, perceptual=None, tile=TILE, side=DETAIL):
    """PSNR-Y in dB and SSIM-Y of bicubic and of each of `models` on one photo, and a detail of the pictures.

    The photo is cropped to a multiple of the scale, made small by `degrade`, enlarged, and compared as
    `common.evaluation.metrics` describes with `scale` pixels shaved. models: {name: SuperResolver}. perceptual: measures more, as
    of `common.evaluation.perceptual.get_perceptual_metrics`. Raises PhotoError if the photo cannot be read or is too small.
    """
    scale = degrade.scale
    sharp = to_tensor(np.asarray(open_photo(path)))
    height, width = (side // scale * scale for side in sharp.shape[-2:])
    if min(height, width) < 2 * scale + 11:
        raise PhotoError(f"{path}: {sharp.shape[-1]} x {sharp.shape[-2]} px, too small to measure SSIM on")
    sharp = sharp[..., :height, :width]
    with temporary_seed("evaluate", path.name):  # the noise of a photo is the same every time
        low = degrade.low_resolution(sharp)
    results = {"bicubic": round_to_8_bits(resize_bicubic(low, scale))}
    for name, model in models.items():
        results[name] = to_tensor(enhance(model, to_pixels(low), scale, tile))
    figures = {}
    for name, result in results.items():
        figures[f"{name} PSNR-Y"] = psnr_y(result, sharp, border=scale).item()
        figures[f"{name} SSIM-Y"] = ssim_y(result, sharp, border=scale).item()
    if perceptual is not None:
        figures |= perceptual(results, sharp)
    return figures, detail({"input": low, **results, "target": sharp}, side)


def detail(pictures, side):
    """The square of each picture where bicubic is furthest from the target, since that is where models differ."""
    target, low = pictures["target"], pictures["input"]
    scale = target.shape[-1] // low.shape[-1]
    error = (pictures["bicubic"] - target).square().mean(dim=1, keepdim=True)
    size = [min(side, length) // scale * scale for length in target.shape[-2:]]
    means = F.avg_pool2d(F.avg_pool2d(error, scale), [length // scale for length in size], stride=4)
    top, left = (4 * int(i) for i in np.unravel_index(means.argmax().item(), means.shape[-2:]))
    squares = {}
    for name, picture in pictures.items():
        s = 1 if name == "input" else scale
        square = picture[0, :, s * top :, s * left :][:, : s * size[0] // scale, : s * size[1] // scale]
        squares[name] = square.clone()  # a view would keep the whole picture in memory
    return squares


def evaluate(paths, degrade, models, folder, zoom=2, **options):
    """`common.evaluation.report.evaluate_photos` for super-resolution; options: of `measure`."""
    return evaluate_photos(paths, partial(measure, degrade=degrade, models=models, **options), folder, zoom)


def main():
    parser = get_evaluate_parser("superres.evaluate", __doc__, baseline="bicubic")
    add_perceptual_arguments(parser)
    parser.add_argument("--scale", type=int, choices=[2, 4, 8], help="for --baseline (a model knows its own)")
    args = parser.parse_args()
    folder = get_results_folder(args)
    if args.baseline and args.scale is None:
        raise UserError("--baseline bicubic needs --scale 2, 4 or 8")
    paths = find_photos(args.data)
    models, scale, device = {}, args.scale, get_device(args.device)
    if args.model is not None:
        model, data = load_model(args.model)
        models["prediction"] = model.to(device)
        if args.scale not in (None, data.scale):
            raise UserError(f"--scale {args.scale}: {args.model} enlarges {data.scale} times")
        scale = data.scale
    perceptual, _ = get_perceptual_metrics(args.vgg, args.lpips, device)
    evaluate(paths, Degrade(scale), models, folder, perceptual=perceptual, tile=args.tile)


if __name__ == "__main__":
    run_command(main)
