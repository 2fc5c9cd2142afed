"""Trains a network that paints photos in the style of one picture.

python -m styletransfer.train                              the demo: sample photos and style, 5 minutes on 2 CPU cores
python -m styletransfer.train configs/styletransfer_johnson.yaml data.path=~/photos style.image=starry_night.jpg
python -m styletransfer.train --resume runs/RUN            goes on with a run that was stopped
"""

import logging
from functools import partial
from pathlib import Path

import numpy as np
from fastai.torch_core import set_seed

from common.cli import train_command
from common.data.pixels import to_tensor
from common.losses import PerceptualLoss
from common.models.fastai_export import export_learner
from common.runtime import processes
from common.runtime.command import run_command
from common.runtime.files import atomic_write
from common.training.learner import fit_stages, get_learner, resolve_train_config
from common.training.run_folder import open_run
from common.training.run_photos import get_run_photos
from styletransfer.config import Config
from styletransfer.data import get_dls, get_photos
from styletransfer.evaluate import SIZE, evaluate
from styletransfer.metrics import content_kept_metric
from styletransfer.model import TASK, get_model, load_model, save
from styletransfer.style import NAME, open_style

log = logging.getLogger(__name__)

DEMO = Path(__file__).parent.parent / "configs" / "styletransfer_demo.yaml"


def train(config, name, resume=None):
    """Trains as `config` says and returns the run folder, with the model file, the export and the comparison in it."""
    device, unet = processes.join(config.train.device), config.model.unet
    pretrained = unet is not None and unet.pretrained
    config = config.model_copy(update={"train": resolve_train_config(config.train, pretrained, device)})
    style = open_style(config.style, resume)
    photos = get_run_photos(resume, config, get_photos)
    set_seed(config.train.seed)
    model, loss = get_model(config.model), PerceptualLoss(config.loss, to_tensor(np.asarray(style)))

    run = open_run(resume, TASK, config, name, device, photos)  # all input is known to be good
    if processes.is_main():
        with atomic_write(run / NAME) as temporary:
            style.save(temporary)
    stage_dls = partial(get_dls, photos, config, device=device)
    first_dls = stage_dls(config.train.stages[0])
    metrics = [content_kept_metric(loss)]
    learn = get_learner(run, config.train, first_dls, model, loss, metrics, columns, partial(save, config=config))
    fit_stages(learn, config.train, stage_dls)
    if not processes.is_main():
        return run

    best, _ = load_model(learn.checkpoints.best)
    save(run / "model.safetensors", best, config)
    export_learner(run / "export.pkl", best)
    log.info("held-out photos:")
    _, held_out = photos
    evaluate(held_out, run, style, loss, best.to(device), SIZE)
    log.info("model file:     %s\nfastai learner: %s", run / "model.safetensors", run / "export.pkl")
    return run


def columns(photo, pred, _):
    """The columns of the epoch pictures."""
    return {"photo": photo, "prediction": pred}


if __name__ == "__main__":
    run_command(partial(train_command, "styletransfer.train", __doc__, Config, DEMO, train))
