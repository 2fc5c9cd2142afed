"""Measures a super-resolution model in the literature's protocol, beside bicubic.

python -m superres.evaluate MODEL.safetensors --data FOLDER
python -m superres.evaluate --baseline bicubic --scale 4 --data FOLDER
"""

import argparse
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from common.command import run_command
from common.errors import UserError
from common.files import written_whole
from common.folders import find_photos
from common.grid import save_grid
from common.inference import TILE, add_device_arguments, enhance, get_device
from common.metrics import psnr_y, round_to_8_bits, ssim_y
from common.photos import PhotoError, open_photo
from superres.data import Degrade
from superres.model import load_model, resize_bicubic

log = logging.getLogger(__name__)

DETAIL = 160  # side of the squares that pictures show, in sharp pixels


def measure(paths, degrade, model=None, tile=TILE):
    """For each photo yields (row, pictures): PSNR-Y in dB and SSIM-Y of bicubic and of `model`, and the pictures.

    Each photo is cropped to a multiple of the scale, made small by `degrade`, enlarged, and compared as
    `common.metrics` describes with `scale` pixels shaved. A photo that cannot be read gets a line and no row.
    """
    scale = degrade.scale
    for path in paths:
        try:
            sharp = to_tensor(np.asarray(open_photo(path)))
        except PhotoError as error:
            log.warning("skipped %s", error)
            continue
        height, width = (side // scale * scale for side in sharp.shape[-2:])
        if min(height, width) < 2 * scale + 11:
            log.warning("skipped %s: %d x %d px, too small to measure SSIM on", path, *reversed(sharp.shape[-2:]))
            continue
        sharp = sharp[..., :height, :width]
        low = degrade.low_resolution(sharp)
        pictures = {"input": low, "bicubic": round_to_8_bits(resize_bicubic(low, scale))}
        if model is not None:
            pixels = (low[0] * 255).round().byte().permute(1, 2, 0).numpy()
            pictures["prediction"] = to_tensor(enhance(model, pixels, scale, tile))
        row = {"photo": path.name}
        for name in list(pictures)[1:]:
            row[f"{name} PSNR-Y"] = psnr_y(pictures[name], sharp, border=scale).item()
            row[f"{name} SSIM-Y"] = ssim_y(pictures[name], sharp, border=scale).item()
        yield row, {**pictures, "target": sharp}


def to_tensor(pixels):
    """(H, W, 3) uint8 -> (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255


def detail(pictures):
    """The square of each picture where bicubic is furthest from the target, since that is where models differ."""
    target, low = pictures["target"], pictures["input"]
    scale = target.shape[-1] // low.shape[-1]
    error = (pictures["bicubic"] - target).square().mean(dim=1, keepdim=True)
    size = [min(DETAIL, side) // scale * scale for side in target.shape[-2:]]
    means = F.avg_pool2d(F.avg_pool2d(error, scale), [side // scale for side in size], stride=4)
    top, left = (4 * int(i) for i in np.unravel_index(means.argmax().item(), means.shape[-2:]))
    squares = {}
    for name, picture in pictures.items():
        s = 1 if name == "input" else scale
        squares[name] = picture[0, :, s * top :, s * left :][:, : s * size[0] // scale, : s * size[1] // scale]
    return squares


def evaluate(paths, degrade, model, folder, tile=TILE, n_pictures=6):
    """Measures all photos; prints a table and, into `folder` (unless None), writes `results.csv` and `comparison.png`.

    Returns the averages, {column: value}. Raises UserError if no photo could be measured.
    """
    rows, squares = [], []
    for row, pictures in measure(paths, degrade, model, tile):
        rows.append(row)
        if len(squares) < n_pictures:
            squares.append(detail(pictures))
    if not rows:
        raise UserError(f"none of {len(paths)} photos could be measured")
    results = pd.DataFrame(rows)
    average = results.mean(numeric_only=True).to_dict()
    shown = pd.concat([results, pd.DataFrame([{"photo": f"average of {len(rows)}", **average}])])
    decimals = {column: (f"{{:.{2 if 'PSNR' in column else 4}f}}").format for column in average}
    log.info("%s", shown.to_string(index=False, formatters=decimals))
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        with written_whole(folder / "results.csv") as temporary:
            results.to_csv(temporary, index=False)
        save_grid(folder / "comparison.png", {name: [s[name] for s in squares] for name in squares[0]}, zoom=2)
        log.info("a photo a line: %s\nside by side:   %s", folder / "results.csv", folder / "comparison.png")
    return average


def main():
    parser = argparse.ArgumentParser(
        prog="python -m superres.evaluate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", type=Path, help="model.safetensors of a training run")
    parser.add_argument("--baseline", choices=["bicubic"], help="measure bicubic enlargement alone, without a model")
    parser.add_argument("--data", type=Path, required=True, help="folder of sharp photos, searched recursively")
    parser.add_argument("--scale", type=int, choices=[2, 4, 8], help="for --baseline (a model knows its own)")
    parser.add_argument(
        "-o", "--output", type=Path, help="folder for results.csv and comparison.png [beside the model]"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace results that exist")
    add_device_arguments(parser)
    args = parser.parse_args()
    if (args.model is None) == (args.baseline is None):
        raise UserError("give either a MODEL or --baseline bicubic")
    if args.baseline and args.scale is None:
        raise UserError("--baseline bicubic needs --scale 2, 4 or 8")
    paths = find_photos(args.data)
    model, scale, folder = None, args.scale, args.output
    if args.model is not None:
        model, data = load_model(args.model)
        model = model.to(get_device(args.device))
        if args.scale not in (None, data.scale):
            raise UserError(f"--scale {args.scale}: {args.model} enlarges {data.scale} times")
        scale = data.scale
        folder = folder or args.model.parent / f"evaluate_{args.data.resolve().name}"
    if folder is not None and (folder / "results.csv").exists() and not args.overwrite:
        raise UserError(f"{folder / 'results.csv'}: exists; add --overwrite, or give another folder with -o")
    evaluate(paths, Degrade(scale), model, folder, args.tile)


if __name__ == "__main__":
    run_command(main)
