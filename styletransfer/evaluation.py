"""What is measured of style models: in a run by its own loss, in a study by one for all, by `evaluate` as told."""

from argparse import Namespace
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch

from common.config.losses import LossConfig
from common.evaluation.perceptual import MeasurePerceptual
from common.evaluation.report import Results
from common.runtime.errors import UserError
from common.runtime.out_of_memory import out_of_memory_is_user_error
from common.videos.measure import VideoMeasure
from styletransfer.config import Config
from styletransfer.files import VGG_FROM_FILE, read_loss_and_style
from styletransfer.loss import StyleLoss
from styletransfer.measure import SIZE
from styletransfer.measure import evaluate as measure_all
from styletransfer.network import Stylizer, each_style, in_style
from styletransfer.photo import paint_photo
from styletransfer.style import STYLE_FILE, open_style, open_styles, style_file, style_to_tensors

# What a study measures all variants by, whatever each was trained on: the weights of styletransfer.yaml. (With all
# weights alike, a tinted photo is judged better than a painting: compare/style_losses.yaml.)
STUDY_LOSS = {
    "features": {"weight": 0.03, "distance": "relative", "layers": {"relu2_2": 1}},
    "gram": {
        "weight": 1,
        "distance": "relative",
        "layers": {"relu1_2": 1, "relu2_2": 1, "relu3_3": 1, "relu4_3": 0.01},
    },
}


def measure(
    models: Mapping[str, Stylizer],
    photos: list[Path],
    config: Config,
    folder: Path,
    perceptual: MeasurePerceptual | None,
) -> Results:
    """Measures the model of a run, each of the styles that it has learned; or of a study by one loss, STUDY_LOSS."""
    loss_config, styles = config.loss, open_styles(config.style, folder)
    if perceptual is not None:
        loss_config = LossConfig.model_validate({**STUDY_LOSS, "vgg": config.loss.vgg})
        (picture,) = styles.values()
        styles = {"style": picture}
    elif len((model := models["prediction"]).names) == 1:
        models = {"prediction": in_style(model, None)}
    elif model.styles:
        models = {name: stylizer for name, stylizer in each_style(model).items() if name in styles}
    loss = StyleLoss(loss_config, *(style_to_tensors(style, config.style) for style in styles.values()))
    return measure_all(photos, folder, styles, loss, models, SIZE, perceptual=perceptual)


def evaluate(
    args: Namespace, models: Mapping[str, Stylizer], photos: list[Path], folder: Path | None, device: torch.device
) -> Results:
    """Measures models as the arguments of `styletransfer.evaluate` say. Raises UserError if they do not fit."""
    loss_config, style_config = read_loss_and_style(args.model)
    if args.vgg is not None:
        loss_config = loss_config.model_copy(update={"vgg": args.vgg})
    elif loss_config.vgg == VGG_FROM_FILE:
        raise UserError(f"{args.model}: was trained with a VGG16 from a file: name it with --vgg")
    if VGG_FROM_FILE in {getattr(term, "weights", None) for term in loss_config.network_terms().values()}:
        raise UserError(f"{args.model}: was trained with another network from a file: it cannot be measured")
    names, own = next(iter(models.values())).names, args.model.parent / STYLE_FILE
    if len(names) == 1:  # with a dial of strength
        own, names = style_file(args.model.parent, names[0]), []
        models = {name: in_style(model, None) for name, model in models.items()}
    if names and (args.style is not None or args.optimize or args.steps):
        raise UserError("--style, --optimize, --steps: not for a model of several styles, all of which are measured")
    paths = {name: style_file(args.model.parent, name) for name in names}
    paths = paths or {"prediction": args.style or own}
    for path in paths.values():
        if not path.exists():
            hint = "put the pictures whose styles were learned there" if names else "name it with --style"
            raise UserError(f"{path}: not found; {hint}")
    styles = {name: open_style(style_config.of_one_picture(path)) for name, path in paths.items()}
    loss = StyleLoss(loss_config, *(style_to_tensors(style, style_config) for style in styles.values()))
    iterations = sorted(set(args.optimize))
    stylizers = each_style(models["prediction"]) if names else models
    with out_of_memory_is_user_error(f"--size {args.size}"):
        return measure_all(photos, folder, styles, loss, stylizers, args.size, iterations, args.start)


def measure_video(args: Namespace, model: Stylizer) -> VideoMeasure:
    """Flicker alone. Raises UserError for flags of photos."""
    if args.optimize:
        raise UserError(f"--data {args.data}: a video is measured without --optimize")
    paint = partial(paint_photo, in_style(model, args.style and str(args.style)), tile=args.tile)
    return VideoMeasure(lambda frame: (frame, frame), paint)
