"""How well models paint: their loss, that of optimising the pixels, and the seconds of both.

On the middle square of each photo, as in Johnson et al. 2016 (table 1 and figure 5).
"""

import logging
import math
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from PIL import Image, ImageOps
from torch import Tensor, nn

from common.evaluation.perceptual import MeasurePerceptual
from common.evaluation.report import Results, evaluate_photos
from common.losses.loss import PerceptualLoss
from common.photos.flat import open_photo
from common.photos.open import PhotoError
from common.photos.pixels import round_to_8_bits, to_tensor
from common.runtime import processes
from common.runtime.finite import check_finite
from styletransfer.gatys import Start, optimize
from styletransfer.metrics import content_kept_metric, warn_if_content_lost
from styletransfer.style import MIN_SIDE

log = logging.getLogger(__name__)

SIZE = 256  # of the squares, as in the paper
TIMED_PASSES = 3  # of the network, the fastest counts


def measure_photo(
    path: Path,
    styles: Mapping[str, Image.Image],
    loss: PerceptualLoss,
    models: Mapping[str, nn.Module],
    size: int,
    iterations: Sequence[int] = (),
    start: Start = "noise",
    perceptual: MeasurePerceptual | None = None,
) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Loss terms of a photo, of its paintings by `models` and of optimised pixels after each of `iterations`; pictures.

    On the middle square of the photo, `size` pixels a side, or as many as there are. 'kept' is `content_kept`. Seconds
    are those of one forward pass and of all iterations so far. 'like' is the first iteration as good as the network;
    infinite if none was. perceptual: measures how far the paintings are from the photo, too. styles: {name: picture},
    in the order of the loss's. If there are several, the models have their names, and each is measured by its own.
    Raises PhotoError if the photo cannot be measured.
    """
    photo = open_photo(path)
    if min(photo.size) < MIN_SIDE:
        raise PhotoError(f"{path}: {photo.width} x {photo.height} px; each side must have at least {MIN_SIDE}")
    size = min(size, *photo.size)
    device = next(loss.buffers()).device
    target = to_tensor(ImageOps.fit(photo, (size, size))).to(device)
    kept = content_kept_metric(loss)
    figures: dict[str, float] = {}
    pictures, mixes = {"photo": target}, one_hot(list(styles), device) if len(styles) > 1 else {}
    if not mixes:
        (style,) = styles.values()
        pictures["style"] = to_tensor(ImageOps.fit(style, (size, size)))

    @torch.no_grad()
    def measure(name: str, picture: Tensor, seconds: float) -> None:
        figures[f"{name} loss"] = loss(picture, target, *mixes.get(name, ())).item()
        figures.update({f"{name} {term}": value.item() for term, value in loss.terms.items()})
        figures[f"{name} kept"] = kept(picture, target).item()
        figures[f"{name} seconds"] = seconds

    if not mixes:
        measure("photo", target, 0.0)
    for name, model in models.items():
        pictures[name], seconds = time_forward(model, target)
        measure(name, pictures[name], seconds)
    for iteration, picture, losses, seconds in optimize(target, loss, iterations, start):
        pictures[f"optimized-{iteration}"] = picture
        measure(f"optimized-{iteration}", picture, seconds)
        for name in models:
            reached = figures[f"{name} loss"]
            figures[f"{name} like"] = next((i for i, value in enumerate(losses) if value <= reached), math.inf)
    if perceptual is not None:
        figures |= perceptual({name: round_to_8_bits(pictures[name]).cpu() for name in models}, target.cpu())
    return figures, {name: picture[0] for name, picture in pictures.items()}


def one_hot(names: Sequence[str], device: torch.device) -> dict[str, list[Tensor]]:
    """{name: [(1, names), 1 for the name itself]}."""
    return {name: [mix] for name, mix in zip(names, torch.eye(len(names), device=device).split(1), strict=True)}


@torch.inference_mode()
def time_forward(model: nn.Module, photo: Tensor) -> tuple[Tensor, float]:
    """(model(photo), seconds of the fastest of TIMED_PASSES passes, after one to warm up). Raises ResultNotFinite."""
    painted, seconds = model(photo), []
    for _ in range(TIMED_PASSES):
        synchronize(photo)
        began = time.perf_counter()
        painted = model(photo)
        synchronize(photo)
        seconds.append(time.perf_counter() - began)
    return check_finite(painted), min(seconds)


def synchronize(tensor: Tensor) -> None:
    if tensor.is_cuda:
        torch.cuda.synchronize(tensor.device)


def evaluate(
    paths: list[Path],
    folder: Path | None,
    styles: Mapping[str, Image.Image],
    loss: PerceptualLoss,
    models: Mapping[str, nn.Module],
    size: int,
    iterations: Sequence[int] = (),
    start: Start = "noise",
    perceptual: MeasurePerceptual | None = None,
) -> Results:
    """`common.evaluation.report.evaluate_photos` for style transfer; the other arguments are of `measure_photo`.

    Compared with optimising, it adds a line on how each model does. models: in eval mode, on the device to run on.
    """
    for model in models.values():  # of a study there may be none left
        loss = loss.to(next(model.parameters()).device)
    loss = loss.eval()
    measure = partial(
        measure_photo,
        styles=styles,
        loss=loss,
        models=models,
        size=size,
        iterations=iterations,
        start=start,
        perceptual=perceptual,
    )
    results = evaluate_photos(paths, measure, folder, metric="loss", higher_is_better=False)
    if processes.sharing.get() and not processes.is_main():
        return results
    average = results.averages
    for name in models if iterations else ():
        last = iterations[-1]
        ratio = average[f"optimized-{last} seconds"] / average[f"{name} seconds"]
        log.info("%d iterations take %.0f times as long as the network, at up to %d px", last, ratio, size)
        log.info("%.0f iterations reach its loss (inf: more than %d)", average[f"{name} like"], last)
    for name in models:
        what = "the results" if len(models) == 1 else f"the results of {name}"
        warn_if_content_lost(average[f"{name} kept"], what)
    return results
