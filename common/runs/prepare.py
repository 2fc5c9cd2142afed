"""What comes before a training: the processes, the photos, the learner. Nothing is written yet."""

import logging
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from fastai.torch_core import set_seed

from common.batches.fastai_sets import fetch_photos
from common.batches.folders import PhotoSplit
from common.config.losses import NO_FILES
from common.config.sections import TaskConfig
from common.models.start_from import start_from
from common.runs.environment import recorded_precision
from common.runs.photos import get_run_photos
from common.runs.resume import RESUME_FILE
from common.runtime import processes
from common.runtime.errors import UserError
from common.runtime.messages import show_messages
from common.task import Task
from common.training.compiled import compile_network
from common.training.learner import ModelFiles, StageLearner, make_learner
from common.training.precision import check_precision

log = logging.getLogger(__name__)

Config = TypeVar("Config", bound=TaskConfig)


def prepare(
    task: Task, config: TaskConfig, resume: Path | None = None, photos: PhotoSplit | None = None
) -> tuple[TaskConfig, PhotoSplit, torch.device]:
    """Joins the processes, finds the photos and seeds everything.

    Returns the config, the photos (of `resume`, a stopped run, those that it had; `photos` if they were found before),
    and the device. What the config leaves to the device stays open in it, so that the run can continue on another.
    Raises UserError for what makes a training impossible.
    """
    show_messages()
    device = processes.join(config.train.device)
    check_precision(config.train, device)
    config = settled(task, config)
    photos = photos or get_run_photos(resume, config, task.training().get_photos)
    set_seed(config.train.seed)
    return config, photos, device


def settled(task: Task, config: Config) -> Config:
    """The config as it is trained with, in processes that have joined. Raises UserError for what cannot be trained."""
    config = task.training().settle(with_model_of_box(task, config))
    config = with_one_vgg16(without_idle_freezing(with_fetched_photos(config)))
    if mistake := config.lone_crop(processes.count()):
        raise UserError(mistake)
    return config


def get_learner(
    task: Task, config: TaskConfig, photos: PhotoSplit, device: torch.device, resume: Path | None = None
) -> StageLearner:
    """The Learner of a config that `prepare` returned. resume: the folder of a stopped run."""
    training = task.training()
    if resume is not None and (resume / RESUME_FILE).exists():
        config = without_first_weights(config)
    model, loss = training.build(config, resume, photos)
    start_from(model, config.train.start_from, task.name, training.read_weights)
    training.begin(config, model)
    if config.train.compile:
        compile_network(model, device)
    precision = config.train.precision if resume is None else recorded_precision(resume, config.train, device)
    files = ModelFiles(lambda path, model: training.save(path, model, config), task.use().load, training.to_photo_model)
    return make_learner(
        config.train,
        lambda stage: training.get_dls(photos, config, stage, device),
        model,
        loss,
        training.get_metrics(config, loss),
        training.get_columns,
        files,
        precision,
    )


def with_model_of_box(task: Task, config: Config) -> Config:
    """The config; if `train.start_from` names a model in the box, and no file of one's own, with that model's file."""
    name = config.train.start_from
    if name is None or task.box is None or name.expanduser().is_file():
        return config
    boxed = task.box / f"{name}.safetensors"
    if not boxed.exists():
        return config
    return config.model_copy(update={"train": config.train.model_copy(update={"start_from": boxed})})


def without_idle_freezing(config: Config) -> Config:
    """The config; if it has no trained encoder, which is what freezing keeps, with no stage frozen, and a warning."""
    stages = config.train.stages
    is_trained = config.model.has_pretrained_encoder or (config.model.has_encoder and config.train.start_from)
    if is_trained or not any(stage.frozen for stage in stages):
        return config
    why = "pretrained = false" if config.model.has_encoder else "this network has none"
    log.warning("WARNING: %s: there is no trained encoder to keep, so no stage is frozen", why)
    stages = [stage.model_copy(update={"frozen": False}) for stage in stages]
    return config.model_copy(update={"train": config.train.model_copy(update={"stages": stages})})


def with_one_vgg16(config: Config) -> Config:
    """The config; if its loss has a file of a VGG16's weights, an encoder that is one begins with the same file."""
    if config.loss.vgg in NO_FILES:
        return config
    return config.model_copy(update={"model": config.model.with_vgg16_of(Path(config.loss.vgg))})


def without_first_weights(config: Config) -> Config:
    """The config of a run whose resume point has all weights: their first files may be gone."""
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
