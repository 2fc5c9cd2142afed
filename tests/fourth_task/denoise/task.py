"""Denoising from config to model file."""

from functools import partial

import numpy as np
import torch
from common.runs.steps import finish_run, prepare_training, save_best_model, without_first_weights
from denoise.config import Config, DataConfig
from fastai.torch_core import TensorImage
from fastai.vision.augment import CropPad, RandomCrop
from fasttransform import ItemTransform
from torch import nn

from common.batches.block import find_and_split_photos, get_photo_dls
from common.config.sections import ModelConfig
from common.evaluation.metrics import psnr_y
from common.evaluation.report import evaluate_photos
from common.inference.tiles import enhance
from common.losses.loss import PerceptualLoss
from common.models.model_file import fill_weights, read_model_file, validate_section, write_model_file
from common.models.unet import Unet
from common.photos.flat import open_photo, open_photo_for_crops
from common.photos.pixels import round_to_8_bits, to_pixels, to_tensor
from common.runs.fit import fit_run
from common.runs.folder import open_run
from common.runtime import processes
from common.runtime.seeds import temporary_seed
from common.task import Task
from common.training.learner import ModelFiles, make_learner


class AddNoise(ItemTransform):
    """(clean,) -> (noisy, clean), as fastai's batch transform."""

    order = 90  # after IntToFloatTensor

    def __init__(self, sigma):
        self.sigma = sigma

    def encodes(self, batch):
        (clean,) = batch
        return TensorImage(self.noisy(clean.as_subclass(torch.Tensor))), clean

    def noisy(self, clean):
        return round_to_8_bits(clean + torch.randn_like(clean) * self.sigma / 255)


class Denoiser(nn.Module):
    """(N, 3, H, W) in [0, 1] -> the same without its noise. Untrained it changes nothing."""

    def __init__(self, config, sigma):
        super().__init__()
        self.unet, self.sigma = Unet(config.encoder, pretrained=config.pretrained, norm=config.norm), sigma

    def forward(self, noisy):
        return noisy.as_subclass(torch.Tensor) + self.unet(noisy.as_subclass(torch.Tensor))


def opener(config):
    return partial(open_photo_for_crops, min_side=config.train.largest_crop())


def get_photos(config):
    return find_and_split_photos(config.data, config.train, opener(config))


def get_dls(photos, config, stage, device):
    crops = [RandomCrop(stage.crop, split_idx=0), CropPad(config.train.largest_crop(), split_idx=1)]
    noise = [AddNoise(config.data.noise)]
    return get_photo_dls(photos, config.data, config.train, stage, device, opener(config), crops, noise)


def save_model(path, model, config):
    values = {"model": config.model.model_dump(mode="json"), "noise": config.data.noise}
    write_model_file(path, model, "denoise", values)


def load_model(path):
    values, state = read_model_file(path, "denoise")
    config = validate_section(path, ModelConfig, values.get("model"))
    data = validate_section(path, DataConfig, {"noise": values.get("noise")})
    return fill_weights(path, Denoiser(config.model_copy(update={"pretrained": False}), data.noise), state)


def measure_photo(path, sigma, models):
    clean = to_tensor(np.asarray(open_photo(path)))
    with temporary_seed("evaluate", path.name):
        results = {"noisy": AddNoise(sigma).noisy(clean)}
    for name, model in models.items():
        results[name] = to_tensor(enhance(model, to_pixels(results["noisy"])))
    figures = {f"{name} PSNR-Y": psnr_y(result, clean, border=0).item() for name, result in results.items()}
    return figures, {name: picture[0, :, :160, :160] for name, picture in {**results, "target": clean}.items()}


def evaluate(paths, sigma, models, folder):
    return evaluate_photos(paths, partial(measure_photo, sigma=sigma, models=models), folder)


def build(config):
    return Denoiser(config.model, config.data.noise), PerceptualLoss(config.loss)


def train(config, name, resume=None, photos=None):
    config, photos, device = prepare_training(config, get_photos, resume, photos)
    learn = get_learner(without_first_weights(config, resume), photos, device)
    with open_run(resume, "denoise", config, name, device, photos) as run:
        checkpoint = fit_run(learn, run)
        if processes.is_main():
            best = save_best_model(learn.files, checkpoint, run)
            results = evaluate(photos.held_out, config.data.noise, {"prediction": best.to(device)}, run)
            finish_run(run, results, learn.loss_func)
    return run


def get_learner(config, photos, device):
    dls, save = partial(get_dls, photos, config, device=device), partial(save_model, config=config)
    columns = lambda x, pred, y: {"noisy": x, "prediction": pred, "target": y}  # noqa: E731
    files, metrics = ModelFiles(save, load_model), [partial(psnr_y, border=0)]
    return make_learner(config, dls, *build(config), metrics, columns, files)


def compare_models(models, photos, config, folder, perceptual):
    return evaluate(photos, config.data.noise, models, folder)


TASK = Task(
    "denoise", Config, get_photos, build, get_dls, get_learner, train, load_model, compare_models, {"PSNR-Y": True}
)
