"""The sections of a configuration that all tasks share. A task adds its own and puts them together."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import torchvision.models
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from torchvision.models import list_models

from common.models.vgg16 import LAYER_NAMES

Positive = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
YamlPath = Annotated[Path, Field(strict=False)]
LayerName = Literal[LAYER_NAMES]
Encoder = Literal[tuple(list_models(torchvision.models, include=["*resnet*", "resnext*"]))]


class Section(BaseModel):
    """Unknown keys, wrong types, NaN and infinity are errors; a section never changes once it is checked."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class PhotosConfig(Section):
    path: YamlPath | None = Field(None, description="folder of photos, searched recursively; null: the sample photos")
    valid: Annotated[float, Field(gt=0, lt=1)] | list[str] = Field(
        0.1, description="held out of training: a part (0.1), or file names or patterns below path ('test/*')"
    )
    crops_per_photo: Count = Field(1, description="random crops taken from each training photo in one epoch")


class RandomPartsConfig(PhotosConfig):
    min_scale: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5, description="smallest crop, as a part of the photo's area; each is then shrunk to train.stages.*.crop"
    )


class ModelConfig(Section):
    encoder: Encoder = Field("resnet34", description="torchvision ResNet that reads the picture")
    pretrained: bool = Field(True, description="start the encoder from torchvision's ImageNet weights")
    norm: Literal["batch", "weight", "spectral", "none"] = Field("spectral", description="of the decoder")
    attention: bool = Field(True, description="one self-attention block in the decoder")
    blur: bool = Field(True, description="average after each pixel shuffle, against checkerboards")


class LayerTerm(Section):
    weight: Positive
    distance: Literal["l1", "mse", "relative"] = Field(
        "l1", description="relative: squared error as a part of the target's mean square, alike for all layers"
    )
    layers: dict[LayerName, Positive] = Field(min_length=1, description="VGG16 layer: its weight")


class LossConfig(Section):
    vgg: str = Field("torchvision", description="VGG16 weights: torchvision, random, or a .pth or .safetensors file")
    l1: Weight = Field(0.0, description="mean absolute error (MAE)")
    mse: Weight = Field(0.0, description="mean squared error")
    psnr: Weight = Field(0.0, description="minus PSNR, in dB")
    psnr_mae: Weight = Field(0.0, description="minus PSNR computed on MAE instead of MSE, in dB")
    ssim: Weight = Field(0.0, description="1 - SSIM")
    tv: Weight = Field(0.0, description="total variation of the prediction")
    features: LayerTerm | None = Field(None, description="distance of VGG16 activations")
    gram: LayerTerm | None = Field(None, description="distance of Gram matrices of VGG16 activations")

    @model_validator(mode="after")
    def some_term(self):
        if not self.terms():
            raise ValueError("every term is zero: give at least one of l1, mse, psnr, ssim, features, gram a weight")
        return self

    def terms(self):
        """Names of the terms that count, in the order of this section."""
        return [name for name in type(self).model_fields if name != "vgg" and getattr(self, name)]

    def vgg_layers(self):
        """Names of all VGG16 layers that a term uses."""
        return sorted({layer for term in (self.features, self.gram) if term for layer in term.layers})


class StageConfig(Section):
    crop: Annotated[int, Field(ge=32)] = Field(description="side of the square crops, in pixels")
    bs: Count = Field(description="crops in a step, of all processes together")
    epochs: Count
    lr: Positive | Annotated[list[Positive], Field(min_length=2, max_length=2)] = Field(
        description="highest learning rate; or [encoder's, decoder's]"
    )
    frozen: bool = Field(False, description="train the decoder only, keep the pretrained encoder")
    pct_start: Annotated[float, Field(gt=0, lt=1)] = Field(0.25, description="part of the stage spent warming up")


class TrainConfig(Section):
    stages: list[StageConfig] = Field(min_length=1, description="trained one after the other, each one cycle")
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(0, description="of everything that is drawn by chance")
    wd: Weight = Field(1e-3, description="weight decay")
    ema: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="measure and keep a running average of the weights, with this decay (0.999); 0: the weights"
    )
    device: str = Field("auto", description="auto (a GPU if there is one), cpu, cuda, cuda:1, mps")
    precision: Literal["auto", "fp32", "fp16", "bf16"] = Field("auto", description="auto: fp16 on CUDA, else fp32")
    accumulate: Count = Field(1, description="work off each batch in so many parts: less memory, the same result")
    workers: Annotated[int, Field(ge=0)] | None = Field(None, description="loading processes; null: 8 on a GPU, else 0")
    checkpoint_minutes: Positive = Field(10, description="save what --resume needs so often, besides after each epoch")
    tensorboard: bool = Field(False, description="write TensorBoard logs into the run folder")

    def largest_crop(self):
        return max(stage.crop for stage in self.stages)

    @field_validator("tensorboard")
    @classmethod
    def tensorboard_is_installed(cls, wanted):
        if wanted and find_spec("tensorboard") is None:
            raise ValueError("needs the package tensorboard: pip install tensorboard")
        return wanted


class OutputConfig(Section):
    path: YamlPath = Field(Path("runs"), description="each run makes a new folder in here")
    name: str | None = Field(None, description="of the run's folder; null: the config file's name and the time")
