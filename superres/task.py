"""Super-resolution from config to model file: the page to read first."""

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from common.batches.folders import PhotoSplit
from common.evaluation.metrics import psnr_y, ssim_y
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
from superres.config import Config
from superres.data import get_dls, get_input, get_photos
from superres.measure import baseline_name, evaluate, get_border
from superres.model import TASK_NAME, SuperResolver, get_model, load_model, resize_bicubic, save_model

log = logging.getLogger(__name__)


def train(config: Config, name: str, resume: Path | None = None, photos: PhotoSplit | None = None) -> Path:
    """Trains as `config` says; see `common.task.Train`. The run folder gets the model and what was measured."""
    config, photos, device = prepare_training(config, get_photos, resume, photos)
    learn = get_learner(without_first_weights(config, resume), photos, device)
    with open_run(resume, TASK_NAME, config, name, device, photos) as run:  # all input is known to be good
        checkpoint = fit_run(learn, run)
        if processes.is_main():
            best = save_best_model(learn.files, checkpoint, run)
            log.info("held-out photos, whole:")
            results = evaluate(photos.held_out, get_input(config.data), {"prediction": best.to(device)}, run)
            finish_run(run, results, learn.loss_func)
    return run


def get_learner(config: Config, photos: PhotoSplit, device: torch.device) -> StageLearner:
    """The Learner of a config; seed before."""
    model, loss = build(config)
    start_from(model, config.train.start_from, TASK_NAME)
    metrics = [partial(metric, border=get_border(config.data.scale)) for metric in (psnr_y, ssim_y)]
    files = ModelFiles(partial(save_model, config=config), load_model)
    stage_dls = partial(get_dls, photos, config, device=device)
    return make_learner(config, stage_dls, model, loss, metrics, get_columns, files)


def build(config: Config) -> tuple[SuperResolver, PerceptualLoss]:
    """A new model and its loss; seed before."""
    return get_model(config.model, config.data.scale), PerceptualLoss(config.loss)


def get_columns(low: Tensor, pred: Tensor, sharp: Tensor) -> dict[str, Tensor]:
    """The columns of the pictures of each epoch."""
    scale = sharp.shape[-1] // low.shape[-1]
    return {"input": low, baseline_name(scale): resize_bicubic(low, scale), "prediction": pred, "target": sharp}


def compare_models(
    models: Mapping[str, nn.Module],
    photos: list[Path],
    config: Config,
    folder: Path,
    perceptual: MeasurePerceptual,
) -> Results:
    """Measures the variants of a study; see `common.task.CompareModels`. The pictures show small details, enlarged."""
    degrade = get_input(config.data)
    return evaluate(photos, degrade, models, folder, zoom=3, perceptual=perceptual, detail_side=80)


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
        "PSNR-Y": True,
        "SSIM-Y": True,
        "VGG": False,
        "VGG-random": False,
        "LPIPS": False,
        "LPIPS-squeeze": False,
    },
)
