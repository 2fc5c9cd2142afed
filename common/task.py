"""What a task is: all that the shared commands need to know of a task's package."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import torch
from fastai.data.core import DataLoaders
from torch import nn

from common.batches.folders import PhotoSplit
from common.config.sections import StageConfig, TaskConfig
from common.evaluation.perceptual import MeasurePerceptual
from common.evaluation.report import Results
from common.losses.loss import PerceptualLoss
from common.training.learner import StageLearner

Config = TypeVar("Config", bound=TaskConfig)
ConfigIn = TypeVar("ConfigIn", bound=TaskConfig, contravariant=True)


class Train(Protocol[ConfigIn]):
    def __call__(
        self, config: ConfigIn, name: str, resume: Path | None = None, photos: PhotoSplit | None = None
    ) -> Path:
        """Trains as `config` says and returns the run folder.

        name: of the folder, if the config gives none. resume: the folder of a stopped run to continue. photos: those
        to train on and those held out, if they were found before.
        """
        ...


class CompareModels(Protocol[ConfigIn]):
    def __call__(
        self,
        models: Mapping[str, nn.Module],
        photos: list[Path],
        config: ConfigIn,
        folder: Path,
        perceptual: MeasurePerceptual,
    ) -> Results:
        """Measures models {name: model} on held-out photos, writes `results.csv` and `comparison.png` into `folder`.

        config: of the first variant, but loss.vgg is the VGG16 to measure with. Baselines are measured as well.
        """
        ...


@dataclass(frozen=True)
class Task(Generic[Config]):
    """A task, as `train` and `compare` see it."""

    name: str
    """The package's name. Model files and run folders carry it."""

    config_class: type[Config]

    get_photos: Callable[[Config], PhotoSplit]
    """Finds the photos of a config. Raises UserError if there are too few."""

    build: Callable[[Config], tuple[nn.Module, PerceptualLoss]]
    """A new model and its loss; seed before."""

    get_dls: Callable[[PhotoSplit, Config, StageConfig, torch.device], DataLoaders]
    """The batches of a stage."""

    get_learner: Callable[[Config, PhotoSplit, torch.device], StageLearner]
    """A fastai Learner with the batches of the config's first stage; seed before. It needs no run folder."""

    train: Train[Config]

    load_model: Callable[[Path], nn.Module]
    """Opens a model file: the model in eval mode, on the CPU."""

    compare_models: CompareModels[Config]

    higher_is_better: Mapping[str, bool]
    """For each metric of `compare_models` whose best value a report marks."""
