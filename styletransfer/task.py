"""Style transfer from config to model file: the page to read first."""

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from common.config.sections import LossConfig
from common.data.folders import PhotoSplit
from common.evaluation.perceptual import MeasurePerceptual
from common.evaluation.report import Results
from common.losses import PerceptualLoss
from common.models.start_from import start_from
from common.runtime import processes
from common.runtime.files import atomic_write
from common.task import Task
from common.training.learner import ModelFiles, StageLearner, make_learner
from common.training.run_fit import fit_run
from common.training.run_folder import open_run
from common.training.steps import finish_run, prepare_training, save_best_model, without_first_weights
from styletransfer.config import Config
from styletransfer.data import get_dls, get_photos
from styletransfer.measure import SIZE, evaluate
from styletransfer.metrics import content_kept_metric
from styletransfer.model import TASK_NAME, Stylizer, get_model, load_model, save_model
from styletransfer.style import STYLE_FILE, open_style, style_to_tensor

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
    style = open_style(config.style, resume)
    config, photos, device = prepare_training(config, get_photos, resume, photos)
    learn = get_learner(without_first_weights(config, resume), photos, device, style)
    with open_run(resume, TASK_NAME, config, name, device, photos) as run:  # all input is known to be good
        if processes.is_main():
            with atomic_write(run / STYLE_FILE) as temporary:
                style.save(temporary)
        checkpoint = fit_run(learn, run)
        if processes.is_main():
            best = save_best_model(learn.files, checkpoint, run)
            log.info("held-out photos:")
            results = evaluate(photos.held_out, run, style, learn.loss_func, {"prediction": best.to(device)}, SIZE)
            finish_run(run, results, learn.loss_func)
    return run


def get_learner(
    config: Config, photos: PhotoSplit, device: torch.device, style: Image.Image | None = None
) -> StageLearner:
    """The Learner of a config; seed before. style: if it is open already."""
    model, loss = build(config, style)
    start_from(model, config.train.start_from, TASK_NAME)
    files = ModelFiles(partial(save_model, config=config), load_model)
    stage_dls = partial(get_dls, photos, config, device=device)
    return make_learner(config.train, stage_dls, model, loss, [content_kept_metric(loss)], get_columns, files)


def build(config: Config, style: Image.Image | None = None) -> tuple[Stylizer, PerceptualLoss]:
    """A new model and its loss; seed before. style: if it is open already."""
    style = style or open_style(config.style)
    return get_model(config.model), PerceptualLoss(config.loss, style_to_tensor(style))


def get_columns(photo: Tensor, pred: Tensor, _: Tensor) -> dict[str, Tensor]:
    """The columns of the pictures of each epoch."""
    return {"photo": photo, "prediction": pred}


def compare_models(
    models: Mapping[str, nn.Module],
    photos: list[Path],
    config: Config,
    folder: Path,
    perceptual: MeasurePerceptual,
) -> Results:
    """Measures the variants of a study by one loss, STUDY_LOSS; see `common.task.CompareModels`."""
    style = open_style(config.style)
    loss = PerceptualLoss(LossConfig.model_validate({**STUDY_LOSS, "vgg": config.loss.vgg}), style_to_tensor(style))
    return evaluate(photos, folder, style, loss, models, SIZE, perceptual=perceptual)


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
