"""Style transfer from config to model file: the page to read first."""

import logging
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from common.batches.folders import PhotoSplit
from common.config.sections import LossConfig
from common.evaluation.perceptual import MeasurePerceptual
from common.evaluation.report import Results
from common.losses.loss import PerceptualLoss
from common.models.start_from import start_from
from common.runs.fit import fit_run
from common.runs.folder import open_run
from common.runs.steps import finish_run, prepare_training, save_best_model, without_first_weights
from common.runtime import processes
from common.runtime.errors import UserError
from common.task import Task
from common.training.learner import ModelFiles, StageLearner, make_learner
from styletransfer.config import Config
from styletransfer.data import get_dls, get_photos
from styletransfer.johnson import TransformationNetwork
from styletransfer.measure import SIZE, evaluate
from styletransfer.metrics import content_kept_metric
from styletransfer.model import (
    TASK_NAME,
    Stylizer,
    each_style,
    get_model,
    in_style,
    load_model,
    read_styles,
    save_model,
)
from styletransfer.style import (
    find_styles,
    is_conditional,
    open_style,
    open_styles,
    save_styles,
    style_file,
    style_names,
    style_to_tensor,
)

log = logging.getLogger(__name__)

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


def train(config: Config, name: str, resume: Path | None = None, photos: PhotoSplit | None = None) -> Path:
    """Trains as `config` says; see `common.task.Train`. The run folder gets the style, the model and its measures."""
    config = with_styles_named(config)
    styles = open_styles(config.style, resume)
    config, photos, device = prepare_training(config, get_photos, resume, photos)
    learn = get_learner(without_first_weights(config, resume), photos, device, styles)
    with open_run(resume, TASK_NAME, config, name, device, photos) as run:  # all input is known to be good
        if processes.is_main():
            save_styles(run, styles, config.style)
            copy_kept_styles(config, run)
        checkpoint = fit_run(learn, run)
        if processes.is_main():
            best = save_best_model(learn.files, checkpoint, run)
            learn.loss_func.balanced = False
            log.info("held-out photos:")
            models = {name: model.to(device) for name, model in each_style(best).items()}
            models = {name: model for name, model in models.items() if name in styles or name == "prediction"}
            results = evaluate(photos.held_out, run, styles, learn.loss_func, models, SIZE)
            finish_run(run, results, learn.loss_func)
    return run


def with_styles_named(config: Config) -> Config:
    """The config with its folder of styles as a list, and the names of the styles that `style.add` adds to."""
    style = config.style
    if is_conditional(style) and not isinstance(style.image, list):
        style = style.model_copy(update={"image": list(find_styles(style).values())})
    if style.add and style.kept is None and config.train.start_from is not None:
        kept, network = read_styles(config.train.start_from.expanduser())
        if not kept:
            raise UserError(
                f"style.add: {config.train.start_from} has one style; begin with a model that was trained with a "
                "list or a folder as style.image"
            )
        for key, value in network.johnson or ():
            if value != getattr(config.model.johnson, key):
                raise UserError(
                    f"style.add: {config.train.start_from} has johnson.{key} = {value}; set model.johnson.{key}={value}"
                )
        style = style.model_copy(update={"kept": kept})
    find_styles(style)  # their names must differ from those kept
    return config.model_copy(update={"style": style})


def copy_kept_styles(config: Config, run: Path) -> None:
    """Copies the pictures of the styles that were there before, if they lie beside their model."""
    if config.train.start_from is None:
        return
    for name in config.style.kept or ():
        picture = style_file(config.train.start_from.expanduser().parent, name)
        if picture.exists():
            shutil.copy(picture, style_file(run, name))


def get_learner(
    config: Config, photos: PhotoSplit, device: torch.device, styles: Mapping[str, Image.Image] | None = None
) -> StageLearner:
    """The Learner of a config; seed before. styles: {name: picture}, if they are open already."""
    config = with_styles_named(config)
    model, loss = build(config, styles)
    start_from(model, config.train.start_from, TASK_NAME)
    loss.balanced = True
    if config.style.kept and isinstance(model.network, TransformationNetwork):
        model.network.learn_only_new(len(config.style.kept))
    files = ModelFiles(partial(save_model, config=config), load_model, one_style)
    stage_dls = partial(get_dls, photos, config, device=device)
    return make_learner(config, stage_dls, model, loss, [content_kept_metric(loss)], get_columns, files)


def one_style(model: Stylizer) -> Stylizer:
    """The first style of a model of several, for fastai's `learn.predict`, which cannot choose."""
    return in_style(model, model.styles[0]) if model.styles else model


def build(config: Config, styles: Mapping[str, Image.Image] | None = None) -> tuple[Stylizer, PerceptualLoss]:
    """A new model and its loss; seed before. styles: {name: picture}, if they are open already."""
    config = with_styles_named(config)
    styles = styles or open_styles(config.style)
    loss = PerceptualLoss(config.loss, *map(style_to_tensor, styles.values()))
    return get_model(config.model, style_names(config.style)), loss


def get_columns(photo: Tensor, pred: Tensor, _: Tensor) -> dict[str, Tensor]:
    """The columns of the pictures of each epoch."""
    return {"photo": photo, "prediction": pred}  # each in the style that was drawn for it


def compare_models(
    models: Mapping[str, nn.Module],
    photos: list[Path],
    config: Config,
    folder: Path,
    perceptual: MeasurePerceptual,
) -> Results:
    """Measures the variants of a study by one loss, STUDY_LOSS; see `common.task.CompareModels`."""
    styles = {"style": open_style(config.style)}  # a study has one
    loss_config = LossConfig.model_validate({**STUDY_LOSS, "vgg": config.loss.vgg})
    loss = PerceptualLoss(loss_config, style_to_tensor(styles["style"]))
    return evaluate(photos, folder, styles, loss, models, SIZE, perceptual=perceptual)


TASK = Task(
    name=TASK_NAME,
    config_class=Config,
    get_photos=get_photos,
    build=build,
    get_dls=get_dls,
    get_learner=get_learner,
    train=train,
    load_model=load_model,
    compare_models=compare_models,
    higher_is_better={"loss": False, "features": False, "gram": False, "kept": True},
)
