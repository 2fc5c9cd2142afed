"""Training the variants of a study one after the other, under the same conditions, and comparing them."""

import gc
import logging
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from torchvision.models import VGG16_Weights

from common.batches.block import check_batch_sizes
from common.batches.folders import PhotoSplit
from common.config.sections import TaskConfig
from common.evaluation.perceptual import get_perceptual_metrics
from common.inference.ready import ready
from common.models.start_from import start_from
from common.models.weights import is_cached
from common.runs.folder import absolute_weights_path, make_folder_for, with_absolute_paths
from common.runs.outcome import run_training
from common.runs.photos import PHOTOS_FILE, get_run_photos, save_photo_split
from common.runs.prepare import settled, with_fetched_photos, with_model_of_box, without_first_weights
from common.runs.resume import RESUME_FILE
from common.runs.train import MODEL_FILE, train
from common.runtime import processes
from common.runtime.errors import TrainingDiverged, UserError
from common.runtime.messages import log_to_file
from common.runtime.precision import choose_precision
from common.studies.report import write_study_page
from common.studies.study import SavedStudy, save_study
from common.task import Task
from common.training.precision import check_precision

log = logging.getLogger(__name__)

FINISHED, DIVERGED = "comparison.png", "diverged.txt"  # what the end of a training leaves, one way or the other


def compare(task: Task, study: SavedStudy, configs: Mapping[str, TaskConfig], resume: Path | None) -> int:
    """Trains and compares the variants of a study; returns the exit status: 1 if one of them diverged.

    resume: the folder of a stopped study to continue.
    """
    task.check_study(list(configs.values()))
    training, device = task.training(), processes.join(next(iter(configs.values())).train.device)
    configs = {
        name: with_fetched_photos(training.settle(with_model_of_box(task, config))) for name, config in configs.items()
    }
    check_same_sections(task, configs)
    first = next(iter(configs.values()))
    for config in configs.values():  # what is missing or wrong is found before the first training
        check_precision(config.train, processes.join(config.train.device))
    photos = get_study_photos(task, resume, configs)
    for name, config in configs.items():
        run = None if resume is None else resume / name
        if run is not None and (is_finished(run) or (run / DIVERGED).exists()):
            continue
        config = settled(task, config)
        if begun := run is not None and (run / RESUME_FILE).exists():
            config = without_first_weights(config)
        model, _ = training.build(config, run if begun else None, photos)
        choose_precision(config.train.precision, device, model, "train.precision =")
        if run is None or not (run / "config.yaml").exists():
            start_from(model, config.train.start_from, task.name, training.read_weights)
    measured_with = with_default_weights(study, configs)
    perceptual, notes = get_perceptual_metrics(measured_with.vgg, measured_with.lpips, device)
    folder = resume or processes.run_on_main(partial(start_study, study.name, first, photos))
    if processes.is_main():
        save_study(
            folder,
            with_absolute_weights(study),
            {name: with_absolute_paths(config) for name, config in configs.items()},
        )
    log.info("study folder: %s", folder)
    diverged: list[str] = []

    def train_and_compare() -> None:
        diverged.extend(train_variants(task, folder, configs, photos))
        if not processes.is_main():
            return
        log_to_file(folder / "log.txt")
        log.info("\nall variants, held-out photos:")
        models = {
            name: ready(task.use().load(folder / name / MODEL_FILE), device, "fp32")
            for name in configs
            if name not in diverged
        }
        measured_by = first.model_copy(update={"loss": first.loss.model_copy(update={"vgg": measured_with.vgg})})
        results = task.measuring().measure(
            models, photos.to_measure(first.train.measure), measured_by, folder, perceptual
        )
        page = write_study_page(measured_with, configs, photos, folder, results, task.higher_is_better, diverged, notes)
        log.info("report:         %s", page)

    status = run_training(f"{task.name}.compare", train_and_compare, lambda: folder)
    # Only the main process reports that one diverged: a launcher ends all when one fails, and it still has to measure.
    return status or int(processes.is_main() and bool(diverged))


def check_same_sections(task: Task, configs: Mapping[str, TaskConfig]) -> None:
    """Raises UserError if what variants start from makes sections differ that must be the same."""
    first_name, first = next(iter(configs.items()))
    for name, config in configs.items():
        for section in task.same_sections:
            if getattr(config, section) != getattr(first, section):
                raise UserError(f"variants {first_name} and {name}: {section} differs, by what they start from")


def with_default_weights(study: SavedStudy, configs: Mapping[str, TaskConfig]) -> SavedStudy:
    """The study with a VGG16 to measure with: of --vgg, the variants' own, torchvision's if it is here, or random."""
    trained_with = [config.loss.vgg for config in configs.values() if config.loss.uses_vgg()]
    vgg = study.vgg or (trained_with or ["torchvision" if is_cached(VGG16_Weights.IMAGENET1K_V1) else "random"])[0]
    return with_absolute_weights(study.model_copy(update={"vgg": vgg}))


def with_absolute_weights(study: SavedStudy) -> SavedStudy:
    """The study, whose files can be found from anywhere."""
    files = {name: path and absolute_weights_path(path) for name, path in (("vgg", study.vgg), ("lpips", study.lpips))}
    return study.model_copy(update=files)


def get_study_photos(task: Task, resume: Path | None, configs: Mapping[str, TaskConfig]) -> PhotoSplit:
    """The photos of all variants. Raises UserError if there are too few for one of them."""
    largest = max(configs.values(), key=lambda config: config.train.largest_crop())
    photos = get_run_photos(resume, largest, task.training().get_photos)
    for config in configs.values():
        check_batch_sizes(len(photos.train), config.data, config.train)
    return photos


def start_study(name: str, config: TaskConfig, photos: PhotoSplit) -> Path:
    """Makes the study's folder and returns its path. config: of the first variant."""
    folder = make_folder_for(config.output, name)
    save_photo_split(folder / PHOTOS_FILE, photos, config.data.path)
    return folder


def is_finished(run: Path) -> bool:
    """Whether the variant in this folder is trained and measured. The resume point is removed at the very end."""
    return (run / FINISHED).exists() and not (run / RESUME_FILE).exists()


def train_variants(task: Task, folder: Path, configs: Mapping[str, TaskConfig], photos: PhotoSplit) -> list[str]:
    """Trains what is not finished in `folder`, each variant in a run folder in it; returns those that diverged."""
    diverged = []
    for number, (name, config) in enumerate(configs.items(), start=1):
        run = folder / name
        if processes.is_main():
            log_to_file(folder / "log.txt")
        if (run / DIVERGED).exists():
            diverged.append(name)
        finished, begun = name in diverged or is_finished(run), (run / "config.yaml").exists()
        log.info("\nvariant %d of %d: %s%s", number, len(configs), name, " is finished" if finished else "")
        if finished:
            continue
        if processes.is_main() and run.exists() and not begun:
            shutil.rmtree(run)  # of a start that was killed before its run began
        output = config.output.model_copy(update={"path": folder, "name": name})
        try:
            train(task, config.model_copy(update={"output": output}), name, run if begun else None, photos)
        except TrainingDiverged as error:
            if processes.is_main():  # all know
                run.mkdir(exist_ok=True)  # there is none yet if it diverged as its steps were timed
                (run / DIVERGED).write_text(f"{error}\n", encoding="utf-8")
                log.error("variant %s: %s", name, error)
            diverged.append(name)
        if processes.is_main():
            (run / RESUME_FILE).unlink(missing_ok=True)  # as large as three models, and the variant is finished
        gc.collect()  # a learner is full of cycles, and holds the GPU's memory
    return diverged
