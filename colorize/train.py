"""Trains a colourisation model from a folder of colour photos.

python -m colorize.train                                   the demo: sample photos, 5 minutes on 2 CPU cores
python -m colorize.train configs/colorize.yaml data.path=~/photos train.stages.0.epochs=3
python -m colorize.train --resume runs/RUN                 goes on with a run that was stopped
"""

import logging
from functools import partial
from pathlib import Path

from fastai.torch_core import set_seed

from colorize.config import Config
from colorize.data import get_dls, get_photos
from colorize.evaluate import evaluate
from colorize.metrics import ab_error, psnr_ab
from colorize.model import TASK, get_model, load_model, save
from colorize.photo import PhotoColorizer, color_photo
from common.cli import train_command
from common.losses import PerceptualLoss
from common.models.fastai_export import export_learner
from common.runtime import processes
from common.runtime.command import run_command
from common.training.learner import fit_stages, get_learner, resolve_train_config
from common.training.run_folder import open_run
from common.training.run_photos import get_run_photos

log = logging.getLogger(__name__)

DEMO = Path(__file__).parent.parent / "configs" / "colorize_demo.yaml"


def train(config, name, resume=None, photos=None):
    """Trains as `config` says and returns the run folder, with the model file, the export and the comparisons in it."""
    device = processes.join(config.train.device)
    config = config.model_copy(update={"train": resolve_train_config(config.train, config.model.pretrained, device)})
    photos = photos or get_run_photos(resume, config, get_photos)
    set_seed(config.train.seed)
    model, loss = build(config)

    run = open_run(resume, TASK, config, name, device, photos)  # all input is known to be good
    stage_dls = partial(get_dls, photos, config, device=device)
    first_dls = stage_dls(config.train.stages[0])
    metrics = [ab_error, psnr_ab]
    learn = get_learner(run, config.train, first_dls, model, loss, metrics, columns, partial(save, config=config))
    fit_stages(learn, config.train, stage_dls)
    if not processes.is_main():
        return run

    best, size = load_model(learn.checkpoints.best)
    save(run / "model.safetensors", best, config)
    export_learner(run / "export.pkl", PhotoColorizer(best, size))
    color = {"prediction": partial(color_photo, best.to(device), size=size)}
    seen, held_out = photos
    log.info("photos that it trained on:")
    evaluate(seen[:20], color, run / "seen")
    log.info("held-out photos:")
    evaluate(held_out, color, run)
    log.info("model file:     %s\nfastai learner: %s", run / "model.safetensors", run / "export.pkl")
    return run


def build(config):
    """(Colorizer, PerceptualLoss) of a config, seeded before."""
    return get_model(config.model), PerceptualLoss(config.loss)


def columns(grey, pred, colour):
    """The columns of the epoch pictures."""
    return {"grey": grey, "prediction": pred, "target": colour}


if __name__ == "__main__":
    run_command(partial(train_command, "colorize.train", __doc__, Config, DEMO, train))
