"""The configuration of colourisation.

python -m colorize.config > configs/colorize.schema.json    writes the JSON schema that editors complete keys from
"""

import json
from typing import Annotated

from pydantic import Field, Tag, model_validator

from common.config.damages import JpegConfig
from common.config.losses import SECTION, By, LossConfig, Number, Term
from common.config.sections import Encoder, ModelConfig, Norm, RandomPartsConfig, TaskConfig


class DataConfig(RandomPartsConfig, frozen=True):
    fade: Annotated[float, Field(ge=0, lt=0.5)] = Field(
        default=0.0, description="how far blacks rise and whites fall at most, as in faded prints; 0 to 0.5"
    )
    contrast: Annotated[float, Field(ge=0)] = Field(
        default=0.0, description="tones to a power between 1 / (1 + contrast) and 1 + contrast"
    )
    noise: Annotated[float, Field(ge=0)] = Field(default=0.0, description="grain: Gaussian sigma in 1/255, at most")
    jpeg: JpegConfig | None = Field(
        default=None, description="the grey side saved as JPEG, of a quality within the range, at last"
    )


class ColorizeModelConfig(ModelConfig, frozen=True):
    encoder: Encoder = Field(default="resnet18", description="torchvision ResNet that reads the picture")
    norm: Norm = Field(default="weight", description="of the decoder: batch, weight, spectral or none")
    half: bool = Field(
        default=False, description="find colours at half the size, which eyes hardly see; a step takes less time"
    )
    vividness: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.0,
        description="with loss.color_classes: from pale colours that are seldom far off, 0, to vivid ones, 1",
    )


class ColorClassesTerm(Term, frozen=True):
    rebalance: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.5, description="how much rare colours count more: 0 as often as they are, 1 all alike"
    )


class ColorLossConfig(LossConfig, frozen=True):
    color_classes: Annotated[Number | Annotated[ColorClassesTerm, Tag(SECTION)], By] = Field(
        default=0.0, description="cross entropy of colours as classes: the network says how likely each is"
    )

    def rebalance(self) -> float:
        """Of the colours as classes."""
        return self.options("color_classes").get("rebalance", ColorClassesTerm.model_fields["rebalance"].default)


class Config(TaskConfig, frozen=True):
    data: DataConfig = DataConfig()
    model: ColorizeModelConfig = ColorizeModelConfig()
    loss: ColorLossConfig

    @model_validator(mode="after")
    def lightness_is_left_alone(self) -> "Config":
        if self.loss.input:
            raise ValueError("loss.input: the network leaves lightness alone, so the result always becomes its input")
        return self

    @model_validator(mode="after")
    def vividness_is_of_classes(self) -> "Config":
        if self.model.vividness and not self.loss.color_classes:
            raise ValueError("model.vividness: chooses among colours, which only loss.color_classes teaches to name")
        return self


if __name__ == "__main__":
    print(json.dumps(Config.model_json_schema(), indent=2))
