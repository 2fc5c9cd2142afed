"""The steps before and after the fit that are the same in every task."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from fastai.torch_core import set_seed
from PIL import Image
from torch import nn

from common.batches.fastai_sets import fetch_photos
from common.batches.folders import PhotoSplit
from common.config.sections import TaskConfig
from common.evaluation.report import Results
from common.losses.activations import draw_differences
from common.losses.loss import PerceptualLoss
from common.models.fastai_export import export_learner
from common.runs.page import write_run_page
from common.runs.photos import get_run_photos
from common.runs.resume import RESUME_FILE
from common.runtime import processes
from common.runtime.messages import show_messages
from common.training.learner import ModelFiles
from common.training.precision import choose_precision

log = logging.getLogger(__name__)

Config = TypeVar("Config", bound=TaskConfig)
Model = TypeVar("Model", bound=nn.Module)

MODEL_FILE, EXPORT_FILE = "model.safetensors", "export.pkl"  # in the run folder


def prepare_training(
    config: Config,
    get_photos: Callable[[Config], PhotoSplit],
    resume: Path | None = None,
    photos: PhotoSplit | None = None,
) -> tuple[Config, PhotoSplit, torch.device]:
    """Joins the processes, finds the photos and seeds everything.

    Returns the config, the photos (of `resume`, a stopped run, those that it had; `photos` if they were found before),
    and the device. What the config leaves to the device stays open in it, so that the run can continue on another.
    Raises UserError for what makes a training impossible.
    """
    show_messages()
    device = processes.join(config.train.device)
    choose_precision(config, device)  # it may be impossible
    config = without_idle_freezing(with_fetched_photos(config))
    photos = photos or get_run_photos(resume, config, get_photos)
    set_seed(config.train.seed)
    return config, photos, device


def without_idle_freezing(config: Config) -> Config:
    """The config; if it has no trained encoder, which is what freezing keeps, with no stage frozen, and a warning."""
    stages = config.train.stages
    if config.model.has_pretrained_encoder or config.train.start_from or not any(stage.frozen for stage in stages):
        return config
    log.warning("WARNING: pretrained = false: there is no trained encoder to keep, so no stage is frozen")
    stages = [stage.model_copy(update={"frozen": False}) for stage in stages]
    return config.model_copy(update={"train": config.train.model_copy(update={"stages": stages})})


def without_first_weights(config: Config, resume: Path | None) -> Config:
    """The config as it is; if `resume` has a resume point, without `model.pretrained` and `train.start_from`.

    The point has all weights, so the files of the first ones may be gone.
    """
    if resume is None or not (resume / RESUME_FILE).exists():
        return config
    train = config.train.model_copy(update={"start_from": None})
    return config.model_copy(update={"model": config.model.without_pretrained(), "train": train})


def with_fetched_photos(config: Config) -> Config:
    """The config with the folder of a data set in place of its name, `fastai:NAME`.

    Raises UserError if it cannot be fetched.
    """
    if config.data.path is None:
        return config
    folder = processes.run_on_main(partial(fetch_photos, config.data.path))
    return config.model_copy(update={"data": config.data.model_copy(update={"path": folder})})


def save_best_model(files: ModelFiles[Model], checkpoint: Path, run: Path) -> Model:
    """Writes the best checkpoint as the run's model file and as a fastai learner; returns the model."""
    best = files.load(checkpoint)
    files.save(run / MODEL_FILE, best)
    export_learner(run / EXPORT_FILE, files.to_photo_model(best))
    return best


def draw_heatmap(results: Results, loss: PerceptualLoss) -> Image.Image | None:
    """Where the loss's VGG16 sees the first held-out photo's prediction differ; None without a VGG16, or if there are
    several predictions."""
    if loss.vgg is None or "prediction" not in results.example:
        return None
    device = loss.vgg.mean.device
    pictures = {name: picture[None].to(device) for name, picture in results.example.items()}
    target = "target" if "target" in pictures else "photo"
    pair = [(name, pictures[name]) for name in (target, "prediction")]
    return draw_differences(pair, loss.vgg, gram_of=("style", pictures["style"]) if "style" in pictures else None)


def finish_run(run: Path, results: Results, loss: PerceptualLoss) -> None:
    """Writes the last page of the run, with what was measured on the held-out photos, and says where the model is."""
    page = write_run_page(run, "finished", results, draw_heatmap(results, loss))
    log.info("model file:     %s\nfastai learner: %s\nreport:         %s", run / MODEL_FILE, run / EXPORT_FILE, page)
