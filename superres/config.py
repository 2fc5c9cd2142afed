"""The configuration of super-resolution.

python -m superres.config > configs/superres.schema.json    writes the JSON schema that editors complete keys from
"""

import json
from typing import Annotated, Literal

from pydantic import Field, model_validator

from common.config.sections import LossConfig, ModelConfig, OutputConfig, PhotosConfig, Section, TrainConfig


class DataConfig(PhotosConfig):
    scale: Literal[2, 4, 8] = Field(2, description="how many times larger the result is")
    blur: Annotated[float, Field(ge=0)] = Field(0.0, description="Gaussian sigma before shrinking, in sharp pixels")
    noise: Annotated[float, Field(ge=0)] = Field(0.0, description="Gaussian noise on the input, sigma in 1/255")
    jpeg: Annotated[int, Field(ge=1, le=100)] | None = Field(None, description="JPEG quality of the input; null: none")


class SuperresModelConfig(ModelConfig):
    network: Literal["unet", "srcnn"] = Field("unet", description="srcnn (9-1-5) has none of this section's other keys")
    upsample: Literal["before", "after"] = Field(
        "after", description="before: U-Net on the enlarged picture; after: on the small one, enlarged at the end"
    )

    @model_validator(mode="after")
    def srcnn_has_no_other_keys(self):
        for name, field in type(self).model_fields.items():
            if self.network == "srcnn" and name != "network" and getattr(self, name) != field.default:
                raise ValueError(f"{name}: SRCNN has none; leave it out, or set network: unet")
        return self

    def has_pretrained_encoder(self):
        """Whether there is an encoder that was trained before."""
        return self.network == "unet" and self.pretrained


class Config(Section):
    data: DataConfig = DataConfig()
    model: SuperresModelConfig = SuperresModelConfig()
    loss: LossConfig
    train: TrainConfig
    output: OutputConfig = OutputConfig()

    @model_validator(mode="after")
    def crops_fit_the_scale(self):
        scale = self.data.scale
        for i, stage in enumerate(self.train.stages):
            if stage.crop % scale:
                below = stage.crop // scale * scale
                raise ValueError(
                    f"train.stages.{i}.crop = {stage.crop}: must be a multiple of data.scale = {scale}, "
                    f"such as {below} or {below + scale}"
                )
            if 3 * self.data.blur >= stage.crop / 2:
                raise ValueError(
                    f"data.blur = {self.data.blur}: must be less than a sixth of train.stages.{i}.crop = {stage.crop}"
                )
        return self


if __name__ == "__main__":
    print(json.dumps(Config.model_json_schema(), indent=2))
