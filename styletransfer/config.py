"""The configuration of style transfer.

python -m styletransfer.config > configs/styletransfer.schema.json    writes the JSON schema for editors
"""

import json
from typing import Annotated

from pydantic import Field, model_validator

from common.config.sections import (
    Count,
    LossConfig,
    ModelConfig,
    OutputConfig,
    YamlPath,
    RandomPartsConfig,
    Section,
    TrainConfig,
)


class StyleConfig(Section):
    image: YamlPath | None = Field(None, description="picture whose style is learned; null: a sample, stained tissue")
    size: Annotated[int, Field(ge=32)] = Field(
        256, description="short side in pixels that it is shrunk to: the larger, the larger its strokes in the results"
    )


class JohnsonConfig(Section):
    width: Count = Field(32, description="channels at full size; the paper has 32")


class StyleModelConfig(Section):
    """One of the two networks."""

    unet: ModelConfig | None = Field(None, description="the U-Net of the other tasks; null: not this one")
    johnson: JohnsonConfig | None = Field(None, description="Johnson et al.'s network; null: not this one")

    @model_validator(mode="after")
    def one_network(self):
        if (self.unet is None) == (self.johnson is None):
            raise ValueError("give one of model.unet and model.johnson; the other is null")
        return self


class Config(Section):
    data: RandomPartsConfig = RandomPartsConfig()
    style: StyleConfig = StyleConfig()
    model: StyleModelConfig
    loss: LossConfig
    train: TrainConfig
    output: OutputConfig = OutputConfig()

    @model_validator(mode="after")
    def has_a_style_term(self):
        if self.loss.gram is None:
            raise ValueError("loss.gram: missing; it is what compares styles")
        return self

    @model_validator(mode="after")
    def rates_fit_the_network(self):
        for i, stage in enumerate(self.train.stages if self.model.johnson is not None else []):
            if isinstance(stage.lr, list):
                raise ValueError(f"train.stages.{i}.lr: must be one number, since model.johnson has no encoder")
            if stage.frozen:
                raise ValueError(f"train.stages.{i}.frozen: must be false, since model.johnson has no encoder")
        return self


if __name__ == "__main__":
    print(json.dumps(Config.model_json_schema(), indent=2))
