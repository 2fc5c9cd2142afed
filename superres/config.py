"""The configuration of super-resolution.

python -m superres.config > configs/superres.schema.json    writes the JSON schema that editors complete keys from
"""

import json
from typing import Annotated, Literal

from pydantic import Field, model_validator

from common.config.sections import ModelConfig, PhotosConfig, StageConfig, TaskConfig


class DataConfig(PhotosConfig, frozen=True):
    scale: Literal[2, 4, 8] = Field(default=2, description="how many times larger the result is")
    blur: Annotated[float, Field(ge=0)] = Field(
        default=0.0, description="Gaussian sigma before shrinking, in high-resolution pixels"
    )
    noise: Annotated[float, Field(ge=0)] = Field(default=0.0, description="Gaussian noise on the input, sigma in 1/255")


class SuperresModelConfig(ModelConfig, frozen=True):
    network: Literal["unet", "srcnn"] = Field(
        default="unet", description="srcnn (9-1-5) has none of this section's other keys"
    )
    upsample: Literal["before", "after"] = Field(
        default="after",
        description="before: U-Net on the enlarged picture; after: on the small one, enlarged at the end",
    )

    @model_validator(mode="after")
    def srcnn_has_no_other_keys(self) -> "SuperresModelConfig":
        for name, field in type(self).model_fields.items():
            if self.network == "srcnn" and name != "network" and getattr(self, name) != field.default:
                raise ValueError(f"{name}: SRCNN has none; leave it out, or set network: unet")
        return self

    @property
    def has_pretrained_encoder(self) -> bool:
        return self.network == "unet" and self.pretrained

    @property
    def has_batch_norm(self) -> bool:
        return self.network == "unet" and self.norm == "batch"


class Config(TaskConfig, frozen=True):
    data: DataConfig = DataConfig()
    model: SuperresModelConfig = SuperresModelConfig()

    def network_side(self, stage: StageConfig) -> int:
        return stage.crop // self.data.scale if self.model.upsample == "after" else stage.crop

    @model_validator(mode="after")
    def crops_fit_the_scale(self) -> "Config":
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
