"""The configuration of denoising."""

from pydantic import Field

from common.config.section import Positive
from common.config.sections import ModelConfig, PhotosConfig, TaskConfig


class DataConfig(PhotosConfig, frozen=True):
    noise: Positive = Field(default=25.0, description="Gaussian sigma of the input, in 1/255")


class Config(TaskConfig, frozen=True):
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
