"""What a task is, as data: all that a command, a page, a notebook or a study asks of a task's package.

A `Task` is light, so that --help and mistakes answer at once. What it does comes from `use`, `training` and
`measuring`, which import what they need, torch first of all: a command calls those that it needs.
"""

import math
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.config.sections import StageConfig, TaskConfig
from common.runtime.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from fastai.data.core import DataLoaders
    from torch import Tensor, nn

    from common.batches.folders import PhotoSplit
    from common.evaluation.perceptual import MeasurePerceptual
    from common.evaluation.report import Results
    from common.losses.loss import PerceptualLoss
    from common.models.weights import StateDict
    from common.videos.measure import VideoMeasure


LARGE = sys.float_info.max  # of a number without bounds, which is finite


@dataclass(frozen=True)
class Option:
    """A setting of a trained model, declared once: a flag of `predict`, a control of the page, a keyword of `load`."""

    name: str  # as Python has it; the flag has dashes
    type: type[float] | type[int] | type[str] | type[bool] | type[Path]  # no visitor of the page names a Path
    default: float | str | bool | None
    lowest: float | None
    highest: float | None
    help: str
    at_opening: bool = False  # it chooses among the models in a file, for all photos: a flag of `app` and `export`, too
    choices: Sequence[str] = ()  # of a str, if it is one of a few
    fits_onnx: bool = True  # False: what it changes is fixed in an ONNX file

    @property
    def flag(self) -> str:
        return f"--{self.name.replace('_', '-')}"

    def read(self, word: Any) -> Any:
        """What the page's control for it says, as a value: the default of an empty field, a number of what is typed.

        Raises UserError if that is no number, or not within the bounds.
        """
        if not isinstance(word, str):
            return word
        if not word.strip():
            return self.default
        if self.type not in (int, float):
            return word
        try:
            value = self.type(word)
        except ValueError:
            value = math.nan
        bounds = [("or more", self.lowest, -LARGE), ("or less", self.highest, LARGE)]
        lowest, highest = (unbounded if bound is None else bound for _, bound, unbounded in bounds)
        if not lowest <= value <= highest:
            said = [f"{bound:g} {which}" for which, bound, _ in bounds if bound is not None]
            raise UserError(
                f"{self.name} = {word[:40]}: must be a {'whole ' if self.type is int else ''}number, {', '.join(said)}"
            )
        return value


@dataclass(frozen=True)
class Points:
    """An option that takes true colours of single places of a photo: the page lets people click on them.

    They are a JSON list of {"x": 120, "y": 80, "color": "#e07b39"}, in pixels of the photo from its left and top.
    """

    option: str
    """Its name; `predict` takes a file of them."""

    taken_by: "Callable[[Any], bool]"
    """Whether a Model takes any."""

    read: "Callable[[list[Any]], Any]"
    """(values of JSON) -> what `Use.enhance` takes as that option. Raises UserError if they are not as above."""

    suggest: "Callable[..., Sequence[str]]"
    """(Model, photo, (x, y), **options) -> colours that the place may have, #rrggbb, the likeliest first."""


# Images are (N, 3, H, W) in [0, 1], photos (H, W, 3) uint8 or uint16; Config and Model are the task's own.


@dataclass(frozen=True)
class Use:
    """What applies a model: its files, photos, videos."""

    load: "Callable[[Path], Any]"
    """The Model of a file, in eval mode on the CPU."""

    model_class: "type[nn.Module]"
    """Of a Model, by which it is found in a fastai export."""

    enhance: "Callable[..., np.ndarray]"
    """(Model or OnnxModel, photo, tile=pixels, **options) -> the result."""

    enhance_together: "Callable[..., list[np.ndarray]]"
    """(Model, photos of one size and depth, tile=pixels, **options) -> the results, in one pass if that can be."""

    plain: "Callable[..., tuple[str, np.ndarray]]" = lambda photo, times, **options: ("photo", photo)
    """(photo, the models' scale, **options) -> what stands beside results: its name, and a picture of their size."""

    remark: "Callable[..., str | None]" = lambda model, photo, **options: None
    """(Model or OnnxModel, photo, **options) -> what a person should know before it is enhanced, if anything."""

    choose: "Callable[..., Any]" = lambda model: model
    """(Model, **options at opening) -> the Model of those that a file has."""

    points: Points | None = None
    """What the page lets people say of single places."""

    in_video: "Callable[..., Callable[[np.ndarray], np.ndarray]]" = lambda enhance, **options: enhance
    """((photo, **options) -> result, **options) -> what makes the results of one video's frames, one after the other:
    the same, unless a frame depends on those before it. If it has `begins_anew`, and that is true after a frame, the
    results before are not mixed into that frame's."""

    mixing: "Mapping[str, Callable[..., np.ndarray]]" = field(default_factory=dict)
    """What of a video's results is steadied: of `common.videos.steady.Steady`."""

    to_onnx: "Callable[[Any], tuple[nn.Module, Mapping[str, int]]]" = lambda model: (model, {})
    """The network of an ONNX file, and what its metadata says of it."""

    formats: "Mapping[str, Callable[[Path, Any], None]]" = field(default_factory=dict)
    """(path, Model): writes one of `Task.formats`."""


@dataclass(frozen=True)
class Training:
    """What trains a model."""

    get_photos: "Callable[[Any], PhotoSplit]"
    """The photos of a Config. Raises UserError if there are too few."""

    get_dls: "Callable[[PhotoSplit, Any, StageConfig, torch.device], DataLoaders]"
    """(photos, Config, stage, device) -> the batches of a stage."""

    build: "Callable[[Any, Path | None, PhotoSplit], tuple[Any, PerceptualLoss]]"
    """(Config, run, photos) -> a new Model and its loss; seed before. run: to continue, with copies of what it began
    with. photos: those that are trained on, if a model depends on them."""

    get_metrics: "Callable[[Any, PerceptualLoss], Sequence[Callable[..., Tensor]]]"
    """What is measured on held-out crops after each epoch: (pred, target) -> (N,)."""

    save: "Callable[[Path, nn.Module, Any], None]"
    """(path, Model, Config): writes a model file."""

    get_columns: "Callable[[Tensor, Tensor, Tensor], Mapping[str, Tensor]]" = lambda x, pred, target: {
        "input": x, "prediction": pred, "target": target,
    }  # fmt: skip
    """(x, pred, target) -> the columns of each epoch's pictures."""

    read_weights: "Callable[[Path], StateDict] | None" = None
    """(path) -> the weights of `train.start_from`, by their names in a Model; None: of the task's model files alone."""

    settle: "Callable[[Any], Any]" = lambda config: config
    """A Config with what it leaves open. Raises UserError if what it asks for cannot be."""

    begin: "Callable[[Any, Any], None]" = lambda config, model: None
    """(Config, Model): the last step before training, when the model has its first weights."""

    keep_files: "Callable[[Any, Path], None]" = lambda config, run: None
    """(Config, run): copies what the run depends on into its folder."""

    to_photo_model: "Callable[[Any], nn.Module]" = lambda model: model
    """What turns whole photos into results, for fastai's export: (N, 3, H, W) -> (N, 3, H', W')."""


@dataclass(frozen=True)
class Measuring:
    """What says how good models are."""

    measure: "Callable[[Mapping[str, Any], list[Path], Any, Path, MeasurePerceptual | None], Results]"
    """({name: Model}, photos, Config, folder, perceptual): measures models and the baseline, into a run's folder; with
    a perceptual metric, into a study's."""

    evaluate: "Callable[[Namespace, Mapping[str, Any], list[Path], Path | None, torch.device], Results | None]"
    """(arguments, {name: Model}, photos, folder, device): what `evaluate` measures; None if that is no table of photos.
    Without a model, the baseline alone. Raises UserError if the arguments contradict each other."""

    measure_video: "Callable[[Namespace, Any], VideoMeasure] | None" = None
    """(arguments, Model): what `evaluate` measures of a video; None: flicker alone."""


@dataclass(frozen=True)
class Task:
    """A task's package, for all that the tasks share."""

    name: str  # of the package; model files and run folders carry it
    title: str  # of its page
    config: type[TaskConfig]
    demo: str | Path  # the config, in configs/ or by its path, that `train` takes if none is named
    use: Callable[[], Use]
    training: Callable[[], Training]
    measuring: Callable[[], Measuring]
    higher_is_better: Mapping[str, bool]  # for each metric whose best value a report marks
    options: Sequence[Option] = ()
    check_options: Callable[[Mapping[str, Any]], None] = lambda options: None  # Raises UserError if they contradict
    room: Callable[[int, int, int, Mapping[str, Any]], tuple[int, int, int]] = lambda height, width, scale, options: (
        scale * height,
        scale * width,
        scale**2 * height * width,
    )  # of a photo's result: its sides, and the pixels of the largest picture on the way
    resizing: Sequence[str] = ()  # options that change the size of a result, which no video can have
    baseline: str | None = None  # what `evaluate` measures without a model
    columns: Sequence[str] = ()  # of its tables and pictures besides models: names that no variant may have
    same_sections: Sequence[str] = ("data", "output")  # of the config, in all variants of a study
    check_study: Callable[[Sequence[Any]], None] = lambda configs: None  # Raises UserError if they are for none
    keep_grey: bool = True  # whether the result of a grey photo is grey
    steady: float = 0.0  # the default for videos, see `common.videos.steady`
    heatmap: tuple[str, str] = ("target", "target")  # columns: whose features, and whose Gram matrices, to come near
    seen: int = 0  # how many of the photos that a model was trained on are measured, too
    formats: Mapping[str, str] = field(default_factory=dict)  # {flag of `export`: help}, besides ONNX
    box: Path | None = None  # folder of the models that the package brings along
    first_choice: Sequence[str] = ()  # of those, that `predict` takes if none is named
    add_evaluate_arguments: Callable[[ArgumentParser], None] = lambda parser: None
    other_inputs: Sequence[str] = ()  # arguments of `evaluate` that give a model another input than its usual one
    evaluate_table: Callable[[Namespace], str | None] = lambda args: None  # that it writes in place of results.csv
