"""Pairs of (noisy, clean) to train on; and how near denoised photos are to the clean ones, beside the noisy ones."""

from functools import partial

import torch

from common.batches.block import MakeInput
from common.batches.crops import get_crop_dls
from common.evaluation.metrics import psnr_y
from common.evaluation.report import evaluate_photos
from common.inference.tiles import enhance
from common.photos.flat import open_photo
from common.photos.pixels import round_to_8_bits, to_pixels, to_tensor


def add_noise(clean, sigma):
    return round_to_8_bits(clean + torch.randn_like(clean) * sigma / 255)


def get_dls(photos, config, stage, device):
    noise = MakeInput(partial(add_noise, sigma=config.data.noise))
    return get_crop_dls(photos, config, stage, device, [noise])


def get_metrics(config, loss):
    return [partial(psnr_y, border=0)]


def measure_photo(models, sigma, path):
    clean = to_tensor(open_photo(path))
    noisy = add_noise(clean, sigma)
    results = {"noisy": noisy} | {name: to_tensor(enhance(model, to_pixels(noisy))) for name, model in models.items()}
    figures = {f"{name} PSNR-Y": psnr_y(result, clean, border=0).item() for name, result in results.items()}
    return figures, {name: picture[0] for name, picture in {**results, "target": clean}.items()}


def measure(models, photos, config, folder, perceptual):
    return evaluate_photos(photos, partial(measure_photo, models, config.data.noise), folder)


def evaluate(args, models, photos, folder, device):
    return evaluate_photos(photos, partial(measure_photo, models, next(iter(models.values())).sigma), folder)
