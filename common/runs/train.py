"""A training from config to model file, the same in every task: photos, learner, folder, fit, best model, measures."""

import logging
from pathlib import Path

from PIL import Image

from common.batches.folders import PhotoSplit
from common.config.sections import TaskConfig
from common.evaluation.report import Results
from common.inference.ready import ready
from common.losses.activations import draw_differences
from common.losses.loss import PerceptualLoss
from common.models.fastai_export import export_learner
from common.runs.balance import with_balance
from common.runs.card import write_card
from common.runs.fit import fit_run
from common.runs.folder import open_run
from common.runs.minutes import with_steps
from common.runs.page import write_run_page
from common.runs.prepare import get_learner, prepare
from common.runtime import processes
from common.task import Task

log = logging.getLogger(__name__)

MODEL_FILE, EXPORT_FILE = "model.safetensors", "export.pkl"  # in the run folder


def train(
    task: Task, config: TaskConfig, name: str, resume: Path | None = None, photos: PhotoSplit | None = None
) -> Path:
    """Trains as `config` says; the run folder, which is returned, gets the model and what was measured.

    name: of the folder, if the config gives none. resume: the folder of a stopped run to continue. photos: those to
    train on and those held out, if they were found before. Raises UserError before work starts, and as `fit_run` does.
    """
    config, photos, device = prepare(task, config, resume, photos)
    config = with_steps(task, config, photos, device, resume)
    config = with_balance(task, config, photos, device, resume)
    learn = get_learner(task, config, photos, device, resume)
    training, measure = task.training(), task.measuring().measure
    # all input is known to be good
    with open_run(resume, task.name, config, name, device, learn.precision, photos) as run:
        if processes.is_main():
            training.keep_files(config, run)
        checkpoint = fit_run(learn, run)
        if processes.is_main():
            best = task.use().load(checkpoint)
            training.save(run / MODEL_FILE, best, config)
            export_learner(run / EXPORT_FILE, training.to_photo_model(best))
            models = {"prediction": ready(best, device, "fp32")}
            if seen := [photo for photo in photos.train if photo.is_file()][: task.seen]:
                log.info("photos that it trained on:")
                measure(models, seen, config, run / "seen", None)
            measured = photos.to_measure(config.train.measure)
            left_out = len(photos.held_out) - len(measured)
            log.info("held-out photos%s:", f" ({left_out} others are left out: train.measure)" * (left_out > 0))
            results = measure(models, measured, config, run, None)
            write_card(run, task.name, config, photos, results)
            page = write_run_page(run, "finished", results, draw_heatmap(task, results, learn.loss_func))
            files = run / MODEL_FILE, run / EXPORT_FILE, page
            log.info("model file:     %s\nfastai learner: %s\nreport:         %s", *files)
    return run


def draw_heatmap(task: Task, results: Results, loss: PerceptualLoss) -> Image.Image | None:
    """Where the loss's VGG16 sees the first held-out photo's prediction differ; None without a VGG16, or if there are
    several predictions."""
    if loss.vgg is None or "prediction" not in results.example:
        return None
    device = loss.vgg.mean.device
    pictures = {name: picture[None].to(device) for name, picture in results.example.items()}
    target, gram = task.heatmap
    pair = [(name, pictures[name]) for name in (target, "prediction")]
    return draw_differences(pair, loss.vgg, gram_of=None if gram == target else (gram, pictures[gram]))
