"""Measures how well a model paints: its loss, that of optimising the pixels, and the seconds of both.

python -m styletransfer.evaluate MODEL.safetensors --data FOLDER
python -m styletransfer.evaluate MODEL.safetensors --data FOLDER --optimize 50 100 300 500 --size 512

On the middle square of each photo, as Johnson et al. 2016 do (their table 1 and figure 5).
"""

import logging
import math
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import ImageOps

from common.cli import get_parser, get_results_folder, number_at_least
from common.config.sections import LossConfig
from common.data.folders import find_photos
from common.data.photos import PhotoError, open_photo
from common.data.pixels import to_tensor
from common.evaluation.report import evaluate_photos
from common.losses import PerceptualLoss
from common.models.model_file import validate_section
from common.runtime.command import run_command
from common.runtime.devices import get_device, out_of_memory_is_user_error
from common.runtime.errors import UserError
from styletransfer.config import StyleConfig
from styletransfer.metrics import content_kept_metric, warn_if_content_lost
from styletransfer.model import load_model
from styletransfer.optimize import optimize
from styletransfer.style import NAME, SMALLEST, open_style

log = logging.getLogger(__name__)

SIZE = 256  # of the squares, as in the paper
RUNS = 3  # of the network, the fastest counts


def measure(path, style, loss, model, size, iterations=(), start="noise"):
    """Loss terms of a photo, of its painting by `model` and of optimised pixels after each of `iterations`; pictures.

    On the middle square of the photo, `size` pixels a side, or as many as there are. 'kept' is `content_kept`. Seconds
    are those of one forward pass and of all iterations so far. 'like' is the first iteration as good as the network;
    infinite if none was.
    Raises PhotoError if the photo cannot be measured.
    """
    photo = open_photo(path)
    if min(photo.size) < SMALLEST:
        raise PhotoError(f"{path}: {photo.width} x {photo.height} px; a photo needs {SMALLEST} a side")
    size = min(size, *photo.size)
    device = next(model.parameters()).device
    photo = to_tensor(np.asarray(ImageOps.fit(photo, (size, size)))).to(device)
    kept, figures = content_kept_metric(loss), {}

    @torch.no_grad()
    def add(name, picture, seconds):
        total = loss(picture, photo).item()
        figures[f"{name} loss"] = total
        figures.update({f"{name} {term}": value.item() for term, value in loss.terms.items()})
        figures[f"{name} kept"] = kept(picture, photo).item()
        figures[f"{name} seconds"] = seconds
        return total

    add("photo", photo, 0.0)
    prediction, seconds = timed(model, photo)
    reached = add("prediction", prediction, seconds)
    pictures = {
        "photo": photo,
        "style": to_tensor(np.asarray(ImageOps.fit(style, (size, size)))),
        "prediction": prediction,
    }
    for number, picture, losses, seconds in optimize(photo, loss, iterations, start):
        pictures[f"optimized-{number}"] = picture
        add(f"optimized-{number}", picture, seconds)
        figures["prediction like"] = next((i for i, value in enumerate(losses) if value <= reached), math.inf)
    return figures, {name: picture[0] for name, picture in pictures.items()}


@torch.inference_mode()
def timed(model, photo):
    """(model(photo), seconds of the fastest of RUNS passes, after one to warm up)."""
    seconds = []
    for _ in range(RUNS + 1):
        synchronize(photo)
        began = time.perf_counter()
        painted = model(photo)
        synchronize(photo)
        seconds.append(time.perf_counter() - began)
    return painted, min(seconds[1:])


def synchronize(tensor):
    if tensor.is_cuda:
        torch.cuda.synchronize(tensor.device)


def evaluate(paths, folder, style, loss, model, size, iterations=(), start="noise"):
    """`common.evaluation.report.evaluate_photos` for style transfer; a line on how the network compares with optimising."""
    loss, model = loss.to(next(model.parameters()).device), model.eval()
    options = {"style": style, "loss": loss, "model": model, "size": size, "iterations": iterations, "start": start}
    average = evaluate_photos(paths, partial(measure, **options), folder)
    if iterations:
        last = iterations[-1]
        ratio = average[f"optimized-{last} seconds"] / average["prediction seconds"]
        log.info("%d iterations take %.0f times as long as the network, at up to %d px", last, ratio, size)
        log.info("its loss is reached by %.0f iterations (inf: not by %d)", average["prediction like"], last)
    warn_if_content_lost(average["prediction kept"])
    return average


def main():
    parser = get_parser("styletransfer.evaluate", __doc__)
    parser.add_argument("model", type=Path, help="model.safetensors of a training run")
    parser.add_argument("--data", type=Path, required=True, help="folder of photos, searched recursively")
    parser.add_argument("--style", type=Path, help="the style picture [style.png beside the model]")
    parser.add_argument("--vgg", help="VGG16 weights, as loss.vgg, if the model was trained with a file of them")
    parser.add_argument(
        "--optimize",
        nargs="+",
        type=number_at_least(1, int),
        default=[],
        metavar="N",
        help="compare with N iterations of L-BFGS",
    )
    parser.add_argument("--start", choices=["noise", "photo"], default="noise", help="its first picture [noise]")
    parser.add_argument(
        "--size", type=number_at_least(SMALLEST, int), default=SIZE, help="of the squares, pixels a side [256]"
    )
    parser.add_argument(
        "-o", "--output", type=Path, help="folder for results.csv and comparison.png [beside the model]"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace results that exist")
    parser.add_argument("--device", default="auto", help="auto (a GPU if there is one), cpu, cuda, cuda:1, mps")
    parser.set_defaults(baseline=None)
    args = parser.parse_args()
    folder = get_results_folder(args)
    model, values = load_model(args.model)
    loss_config = validate_section(args.model, LossConfig, values.get("loss"))
    if args.vgg is not None:
        loss_config = loss_config.model_copy(update={"vgg": args.vgg})
    elif loss_config.vgg == "file":
        raise UserError(f"{args.model}: was trained with a VGG16 from a file: name it with --vgg")
    style_config = validate_section(args.model, StyleConfig, values.get("style"))
    path = args.style or args.model.parent / NAME
    if args.style is None and not path.exists():
        raise UserError(f"{path}: not here; name the picture whose style was learned with --style")
    style = open_style(style_config.model_copy(update={"image": path}))
    paths = find_photos(args.data)
    device = get_device(args.device)
    loss = PerceptualLoss(loss_config, to_tensor(np.asarray(style)))
    with out_of_memory_is_user_error(f"--size {args.size}"):
        evaluate(paths, folder, style, loss, model.to(device), args.size, sorted(set(args.optimize)), args.start)


if __name__ == "__main__":
    run_command(main)
