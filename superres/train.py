"""Trains a super-resolution model from a folder of photos.

python -m superres.train                                   the demo: sample photos, 3 minutes on 2 CPU cores
python -m superres.train configs/superres_2x.yaml data.path=~/photos train.stages.0.epochs=3
python -m superres.train --resume runs/RUN                 goes on with a run that was stopped
"""

import logging
from functools import partial
from pathlib import Path

from fastai.torch_core import set_seed

from common.cli import train_command
from common.evaluation.metrics import psnr_y, ssim_y
from common.losses import PerceptualLoss
from common.models.fastai_export import export_learner
from common.runtime import processes
from common.runtime.command import run_command
from common.training.learner import fit_stages, get_learner, resolve_train_config
from common.training.run_folder import open_run
from common.training.run_photos import get_run_photos
from superres.config import Config
from superres.data import get_degrade, get_dls, get_photos
from superres.evaluate import evaluate
from superres.model import TASK, get_model, load_model, resize_bicubic, save

log = logging.getLogger(__name__)

DEMO = Path(__file__).parent.parent / "configs" / "superres_demo.yaml"


def train(config, name, resume=None, photos=None):
    """Trains as `config` says and returns the run folder, with the model file, the export and the comparison in it."""
    device = processes.join(config.train.device)
    config = config.model_copy(
        update={"train": resolve_train_config(config.train, config.model.has_pretrained_encoder, device)}
    )
    photos = photos or get_run_photos(resume, config, get_photos)
    set_seed(config.train.seed)
    model, loss = build(config)

    run = open_run(resume, TASK, config, name, device, photos)  # all input is known to be good
    stage_dls = partial(get_dls, photos, config, device=device)
    first_dls = stage_dls(config.train.stages[0])
    metrics = [partial(metric, border=config.data.scale) for metric in (psnr_y, ssim_y)]
    learn = get_learner(run, config.train, first_dls, model, loss, metrics, columns, partial(save, config=config))
    fit_stages(learn, config.train, stage_dls)
    if not processes.is_main():
        return run

    best, _ = load_model(learn.checkpoints.best)
    save(run / "model.safetensors", best, config)
    export_learner(run / "export.pkl", best)
    log.info("held-out photos, whole:")
    _, held_out = photos
    evaluate(held_out, get_degrade(config.data), {"prediction": best.to(device)}, run)
    log.info("model file:     %s\nfastai learner: %s", run / "model.safetensors", run / "export.pkl")
    return run


def build(config):
    """(SuperResolver, PerceptualLoss) of a config, seeded before."""
    return get_model(config.model, config.data.scale), PerceptualLoss(config.loss)


def columns(low, pred, sharp):
    """The columns of the epoch pictures."""
    bicubic = resize_bicubic(low, sharp.shape[-1] // low.shape[-1])
    return {"input": low, "bicubic": bicubic, "prediction": pred, "target": sharp}


if __name__ == "__main__":
    run_command(partial(train_command, "superres.train", __doc__, Config, DEMO, train))
