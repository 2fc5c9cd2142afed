"""Paints one photo by optimising its pixels, without a network (Gatys et al. 2015): slow, the reference.

python -m styletransfer.optimize PHOTO STYLE -o OUT.png
python -m styletransfer.optimize PHOTO STYLE -o OUT.png configs/styletransfer_demo.yaml loss.gram.weight=3
"""

import logging
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from common.cli import get_parser, number_at_least
from common.config.yaml_file import load_config
from common.data.formats import WRITABLE_SUFFIXES
from common.data.photos import read_photo, shrunk_size, to_rgb_photo, write_photo
from common.data.pixels import to_pixels, to_tensor
from common.losses import PerceptualLoss
from common.runtime.command import run_command
from common.runtime.devices import get_device, out_of_memory_is_user_error
from common.runtime.errors import TrainingDiverged, UserError
from common.runtime.files import atomic_write
from styletransfer.config import Config
from styletransfer.metrics import content_kept_metric, warn_if_content_lost
from styletransfer.style import SMALLEST, open_style

log = logging.getLogger(__name__)

CONFIG = Path(__file__).parent.parent / "configs" / "styletransfer_johnson.yaml"
SHOWN_EVERY = 50  # iterations
MEMORY = 20  # past steps that L-BFGS remembers


def optimize(photo, loss, iterations, start="noise"):
    """Yields (iteration, picture, [loss at the start, after 1, 2, ...], seconds) at each of `iterations`, ascending.

    photo: (1, 3, H, W) in [0, 1], on the device to run on; the pictures as well. loss: a `common.losses.PerceptualLoss`
    with a style, there too. start: 'noise', as in the papers, or 'photo'. L-BFGS with a strong Wolfe line search works
    on logits, so that pixels stay in [0, 1]. An iteration is a step: one forward and backward pass, sometimes two.
    Raises TrainingDiverged at a loss that is not finite.
    """
    first = torch.rand(photo.shape, generator=torch.Generator().manual_seed(0)).to(photo) if start == "noise" else photo
    logits = torch.logit(first, eps=0.01).contiguous().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [logits], history_size=MEMORY, tolerance_grad=0, tolerance_change=0, line_search_fn="strong_wolfe"
    )
    (group,), state = optimizer.param_groups, optimizer.state[logits]
    losses = {}
    loss.remember(photo)

    def closure():
        optimizer.zero_grad()
        value = loss(logits.sigmoid(), photo)
        value.backward()
        if not torch.isfinite(value):
            raise TrainingDiverged(f"the loss is {value.item()} in iteration {len(losses)}; lower loss.gram.weight")
        number = state.get("n_iter", 0)
        losses[number] = min(value.item(), losses.get(number, float("inf")))
        return value

    seconds = 0.0
    for iteration in iterations:
        began = time.perf_counter()
        group["max_iter"] = iteration - state.get("n_iter", 0)
        group["max_eval"] = 100 * iteration  # never what ends it
        optimizer.step(closure)
        picture = logits.detach().sigmoid()
        seconds += time.perf_counter() - began
        yield iteration, picture, list(losses.values()), seconds


def main():
    parser = get_parser("styletransfer.optimize", __doc__)
    parser.add_argument("photo", type=Path, help="the photo to paint")
    parser.add_argument("style", type=Path, help="the picture in whose style")
    parser.add_argument(
        "config",
        nargs="*",
        metavar="CONFIG.yaml section.key=value",
        help="whose loss and style.size are used [configs/styletransfer_johnson.yaml]",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="the picture to write, such as painted.png")
    parser.add_argument("--overwrite", action="store_true", help="replace it if it exists")
    parser.add_argument(
        "--size", type=number_at_least(32, int), default=256, help="short side of the result, in pixels [256]"
    )
    parser.add_argument("--iterations", type=number_at_least(1, int), default=500, help="steps of L-BFGS [500]")
    parser.add_argument("--start", choices=["noise", "photo"], default="photo", help="first picture [photo]")
    parser.add_argument("--device", default="auto", help="auto (a GPU if there is one), cpu, cuda, cuda:1, mps")
    args = parser.parse_intermixed_args()
    words, path = args.config, CONFIG
    if words and words[0].endswith((".yaml", ".yml")):
        path = Path(words.pop(0))
    config = load_config(Config, path, words)
    check_output(args)
    photo = to_rgb_photo(read_photo(args.photo))
    style = open_style(config.style.model_copy(update={"image": args.style}))
    height, width = shrunk_size(*photo.rgb.shape[:2], args.size)
    if min(height, width) < SMALLEST:
        raise UserError(f"{args.photo}: {width} x {height} px; a photo needs {SMALLEST} a side")
    small = Image.fromarray(photo.rgb).resize((width, height), reducing_gap=3)
    device = get_device(args.device)
    loss = PerceptualLoss(config.loss, to_tensor(np.asarray(style))).to(device)
    with out_of_memory_is_user_error(f"--size {args.size}"):
        paint(to_tensor(np.asarray(small)).to(device), loss, args, like=photo)


def check_output(args):
    """Raises UserError if the result cannot or must not be written."""
    output = args.output
    if output.suffix.lower() not in WRITABLE_SUFFIXES:
        raise UserError(f"{output}: must end in one of {' '.join(sorted(WRITABLE_SUFFIXES))}")
    if output.resolve() in (args.photo.resolve(), args.style.resolve()):
        raise UserError(f"{output}: is one of the pictures to read; give another name with -o")
    if output.exists() and not args.overwrite:
        raise UserError(f"{output}: exists; add --overwrite")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{output.parent}: cannot be made a folder for the result ({error.strerror})") from None


def paint(photo, loss, args, like):
    """Optimises, with a line and the picture so far every SHOWN_EVERY iterations."""
    stops = [*range(SHOWN_EVERY, args.iterations, SHOWN_EVERY), args.iterations]
    for iteration, picture, _, seconds in optimize(photo, loss, stops, args.start):
        with torch.no_grad():
            total = loss(picture, photo).item()
        terms = "  ".join(f"{name} {value.item():.4g}" for name, value in loss.terms.items())
        log.info("%d/%d  loss %.4g  %s  %.0f s", iteration, args.iterations, total, terms, seconds)
        with atomic_write(args.output) as temporary:
            write_photo(temporary, to_pixels(picture), like)
    with torch.no_grad():
        warn_if_content_lost(content_kept_metric(loss)(picture, photo).item())
    log.info("%s", args.output)


if __name__ == "__main__":
    run_command(main)
