"""Trains a super-resolution model from a folder of photos.

python -m superres.train                                   the demo: sample photos, 5 minutes on 2 CPU cores
python -m superres.train configs/superres_2x.yaml data.path=~/photos train.stages.0.epochs=3
"""

import argparse
import logging
from functools import partial
from pathlib import Path

import torch
from fastai.learner import Learner
from fastai.torch_core import set_seed

from common.command import run_command
from common.configfile import describe, load_config
from common.export import export_learner
from common.inference import get_device
from common.losses import PerceptualLoss
from common.metrics import psnr_y, ssim_y
from common.run import start_run
from common.training import (
    Checkpoints,
    History,
    ImageMetric,
    LossTerm,
    Pictures,
    TrainingDiverged,
    adamw,
    fit_stages,
    precision_callbacks,
    quiet,
    resolve,
)
from superres.config import Config
from superres.data import get_degrade, get_dls, get_photos
from superres.evaluate import evaluate
from superres.model import get_model, load_model, resize_bicubic, save

log = logging.getLogger(__name__)

DEMO = Path(__file__).parent.parent / "configs" / "superres_demo.yaml"


def train(config, name):
    """Trains as `config` says and returns the run folder, with the model file, the export and the comparison in it."""
    device, scale = get_device(config.train.device), config.data.scale
    config = config.model_copy(update={"train": resolve(config.train, config.model.pretrained, device)})
    train_photos, valid_photos = get_photos(config)
    set_seed(config.train.seed)
    model = get_model(config.model, scale).to(memory_format=torch.channels_last)
    loss = PerceptualLoss(config.loss).to(memory_format=torch.channels_last)

    run = start_run(config, name, device)  # all input is known to be good
    log.info("run folder: %s", run)
    stages, stage_dls = config.train.stages, partial(get_dls, train_photos, valid_photos, config, device=device)
    checkpoints = Checkpoints(run / "checkpoints", partial(save, config=config))
    learn = Learner(
        stage_dls(stages[0]),
        model,
        loss_func=loss,
        opt_func=adamw,
        train_bn=False,  # a frozen encoder is frozen whole
        splitter=parameter_groups,
        metrics=[
            ImageMetric(partial(psnr_y, border=scale)),
            ImageMetric(partial(ssim_y, border=scale)),
            *map(LossTerm, loss.names),
        ],
        cbs=[
            History(run / "history.csv", stages),
            Pictures(run / "pictures", columns),
            checkpoints,
            *precision_callbacks(config.train.precision),
        ],
        path=run,
    )
    boards = run / "tensorboard" if config.train.tensorboard else None
    try:
        fit_stages(quiet(learn), stages, stage_dls, config.train.wd, boards)
    except KeyboardInterrupt:
        log.info("stopped; the models of the last and the best finished epoch are in %s", checkpoints.folder)
        raise

    best, _ = load_model(checkpoints.best)
    model_file, export = run / "model.safetensors", run / "export.pkl"
    save(model_file, best, config)
    export_learner(export, best)
    log.info("held-out photos, whole:")
    evaluate(valid_photos, get_degrade(config.data), best.to(device), run)
    log.info("model file:     %s\nfastai learner: %s", model_file, export)
    return run


def parameter_groups(model):
    return model.unet.parameter_groups()


def columns(low, pred, sharp):
    """The columns of the epoch pictures."""
    bicubic = resize_bicubic(low, sharp.shape[-1] // low.shape[-1])
    return {"input": low, "bicubic": bicubic, "prediction": pred, "target": sharp}


def main():
    parser = argparse.ArgumentParser(
        prog="python -m superres.train",
        usage="python -m superres.train [CONFIG.yaml] [section.key=value ...]",
        description=__doc__,
        epilog="keys, with [defaults]:\n" + "\n".join(describe(Config)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", nargs="*", metavar="CONFIG.yaml section.key=value", help="see above and below")
    words = parser.parse_args().config
    path = Path(words.pop(0)) if words and words[0].endswith((".yaml", ".yml")) else DEMO
    config = load_config(Config, path, words)
    try:
        train(config, path.stem)
    except TrainingDiverged as error:
        log.error("error: %s", error)
        return 1


if __name__ == "__main__":
    run_command(main)
