"""Colourisation from config to model file: the page to read first."""

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from colorize.config import Config
from colorize.data import get_dls, get_photos
from colorize.measure import evaluate
from colorize.metrics import ab_error, psnr_ab
from colorize.model import TASK_NAME, Colorizer, get_model, load_model, save_model
from colorize.photo import PhotoColorizer, color_photo
from common.batches.folders import PhotoSplit
from common.evaluation.perceptual import MeasurePerceptual
from common.evaluation.report import Results
from common.losses.loss import PerceptualLoss
from common.models.start_from import start_from
from common.runs.fit import fit_run
from common.runs.folder import open_run
from common.runs.steps import finish_run, prepare_training, save_best_model, without_first_weights
from common.runtime import processes
from common.task import Task
from common.training.learner import ModelFiles, StageLearner, make_learner

log = logging.getLogger(__name__)


def train(config: Config, name: str, resume: Path | None = None, photos: PhotoSplit | None = None) -> Path:
    """Trains as `config` says; see `common.task.Train`. The run folder gets the model and what was measured."""
    config, photos, device = prepare_training(config, get_photos, resume, photos)
    learn = get_learner(without_first_weights(config, resume), photos, device)
    with open_run(resume, TASK_NAME, config, name, device, photos) as run:  # all input is known to be good
        checkpoint = fit_run(learn, run)
        if processes.is_main():
            best = save_best_model(learn.files, checkpoint, run)
            color = {"prediction": partial(color_photo, best.to(device))}
            log.info("photos that it trained on:")
            evaluate(photos.train[:20], color, run / "seen")
            log.info("held-out photos:")
            results = evaluate(photos.held_out, color, run)
            finish_run(run, results, learn.loss_func)
    return run


def get_learner(config: Config, photos: PhotoSplit, device: torch.device) -> StageLearner:
    """The Learner of a config; seed before."""
    model, loss = build(config)
    start_from(model, config.train.start_from, TASK_NAME)
    files = ModelFiles(partial(save_model, config=config), load_model, to_photo_model=PhotoColorizer)
    stage_dls = partial(get_dls, photos, config, device=device)
    return make_learner(config, stage_dls, model, loss, [ab_error, psnr_ab], get_columns, files)


def build(config: Config) -> tuple[Colorizer, PerceptualLoss]:
    """A new model and its loss; seed before."""
    return get_model(config.model, config.train.largest_crop()), PerceptualLoss(config.loss)


def get_columns(grey: Tensor, pred: Tensor, color: Tensor) -> dict[str, Tensor]:
    """The columns of the pictures of each epoch."""
    return {"grey": grey, "prediction": pred, "target": color}


def compare_models(
    models: Mapping[str, nn.Module],
    photos: list[Path],
    config: Config,
    folder: Path,
    perceptual: MeasurePerceptual,
) -> Results:
    """Measures the variants of a study, each at its own size; see `common.task.CompareModels`."""
    colorizers = {name: partial(color_photo, model) for name, model in models.items() if isinstance(model, Colorizer)}
    return evaluate(photos, colorizers, folder, perceptual=perceptual, shown_size=192)


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
    higher_is_better={
        "PSNR": True,
        "PSNR-ab": True,
        "SSIM": True,
        "ab error": False,
        "CIEDE2000": False,
        "off by": False,
        "VGG": False,
        "VGG-random": False,
        "LPIPS": False,
        "LPIPS-squeeze": False,
    },
)
