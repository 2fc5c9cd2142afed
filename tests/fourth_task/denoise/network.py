"""The network of denoising, its loss and its model files."""

from denoise.config import DataConfig, ModelConfig
from torch import nn

from common.losses.loss import PerceptualLoss
from common.models.model_file import fill_weights, read_model_file, validate_section, write_model_file
from common.models.unet import get_unet
from common.photos.pixels import as_plain


class Denoiser(nn.Module):
    """(N, 3, H, W) in [0, 1] -> the same without its noise. Untrained it changes nothing."""

    def __init__(self, config, sigma):
        super().__init__()
        self.unet, self.sigma = get_unet(config), sigma

    def forward(self, noisy):
        return as_plain(noisy) + self.unet(as_plain(noisy))


def build(config, run, photos):
    return Denoiser(config.model, config.data.noise), PerceptualLoss(config.loss)


def save(path, model, config):
    values = {"model": config.model.without_pretrained().model_dump(mode="json"), "noise": config.data.noise}
    write_model_file(path, model, "denoise", values)


def load(path):
    values, state = read_model_file(path, "denoise")
    config = validate_section(path, ModelConfig, values.get("model")).without_pretrained()
    data = validate_section(path, DataConfig, {"noise": values.get("noise")})
    return fill_weights(path, Denoiser(config, data.noise), state)
