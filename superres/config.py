"""The configuration of super-resolution.

python -m superres.config > configs/superres.schema.json    writes the JSON schema that editors complete keys from
"""

import json
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from common.config.damages import Degradations
from common.config.section import YamlPath
from common.config.sections import ModelConfig, PhotosConfig, StageConfig, TaskConfig


class DataConfig(PhotosConfig, frozen=True):
    scale: Literal[1, 2, 4, 8] = Field(
        default=2,
        description="2, 4 or 8: how many times larger the result is; 1: the same size, with the damage removed",
    )
    degrade: Degradations = Field(
        default=[],
        description="what the input suffers besides being shrunk: clean, photo (what phones and web pages do), heavy, "
        "or a list of passes of blur, resize, noise and jpeg",
    )
    detail: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.0,
        description="of this part of the crops, the one with the most detail of four places in the photo is taken; 0: "
        "all are taken anywhere, much of them sky if the photos are large",
    )
    low: YamlPath | None = Field(
        default=None,
        description="folder of low-resolution files, named as the photos in path: the input, in place of shrunken ones",
    )

    @model_validator(mode="after")
    def pairs_need_two_folders(self) -> "DataConfig":
        if self.low is not None and self.degrade:
            raise ValueError("low and degrade: the files are as they are; give one of the two")
        if self.low is not None and self.path is None:
            raise ValueError("low: needs path, the folder of the sharp photos")
        return self


KEYS = {  # of the section `model`, besides network
    "unet": ("encoder", "pretrained", "width", "norm", "attention", "blur", "upsample", "even"),
    "srcnn": (),
    "spandrel": ("architecture", "options", "on_bicubic", "fused", "even"),
}


class SuperresModelConfig(ModelConfig, frozen=True):
    network: Literal["unet", "srcnn", "spandrel"] = Field(
        default="unet",
        description="unet; srcnn (9-1-5), which has none of this section's other keys; or spandrel, see architecture",
    )
    upsample: Literal["before", "after"] = Field(
        default="after",
        description="before: U-Net on the enlarged picture; after: on the small one, enlarged at the end",
    )
    architecture: str | None = Field(
        default=None, description="with network: spandrel, a class of spandrel.architectures, such as SPAN or RealPLKSR"
    )
    options: dict[str, Any] = Field(
        default={}, description="of the architecture's constructor, such as {feature_channels: 32}"
    )
    on_bicubic: bool = Field(
        default=False,
        description="add the architecture's result to a bicubic enlargement, which it then is at first; other programs "
        "cannot open such a model",
    )

    fused: bool = Field(
        default=False, description="train re-parametrised layers (SPAN) as the one convolution that each is in the end"
    )
    even: bool = Field(
        default=False,
        description="keep the last convolution before a pixel shuffle from writing dots, as perceptual losses ask for; "
        "U-Nets always do",
    )

    @model_validator(mode="after")
    def has_only_keys_of_its_network(self) -> "SuperresModelConfig":
        for name, field in type(self).model_fields.items():
            if name not in ("network", *KEYS[self.network]) and getattr(self, name) != field.default:
                owner = next(network for network, keys in KEYS.items() if name in keys)
                raise ValueError(f"{name}: network: {self.network} has none; leave it out, or set network: {owner}")
        return self

    @model_validator(mode="after")
    def spandrel_needs_an_architecture(self) -> "SuperresModelConfig":
        if self.network == "spandrel" and self.architecture is None:
            raise ValueError("architecture: missing; name a class of spandrel.architectures, such as SPAN")
        return self

    @property
    def has_pretrained_encoder(self) -> bool:
        return self.network == "unet" and bool(self.pretrained)

    @property
    def has_encoder(self) -> bool:
        return self.network == "unet"

    @property
    def has_batch_norm(self) -> bool:
        return self.network == "unet" and self.norm == "batch"


class Config(TaskConfig, frozen=True):
    movable: ClassVar[tuple[str, ...]] = ("data.low",)
    data: DataConfig = DataConfig()
    model: SuperresModelConfig = SuperresModelConfig()

    def network_side(self, stage: StageConfig) -> int:
        return stage.crop // self.data.scale if self.model.upsample == "after" else stage.crop

    @model_validator(mode="after")
    def something_is_to_be_done(self) -> "Config":  # not DataConfig's, since a model file does not name data.low
        if self.data.scale == 1 and not self.data.degrade and self.data.low is None:
            raise ValueError(
                "data.scale: 1 without damages leaves nothing to learn; set data.degrade to photo, heavy or passes, or "
                "data.low to a folder"
            )
        return self

    @model_validator(mode="after")
    def input_is_what_the_result_becomes(self) -> "Config":
        if self.loss.input and (self.data.degrade or self.data.low is not None):
            raise ValueError(
                "loss.input: the input is damaged, or a file, which a good result does not become; use lowres"
            )
        return self

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
            widest = max([p.blur.sigma[1] for p in self.data.degrade if p.blur is not None], default=0)
            if 3 * widest >= stage.crop / scale / 2:
                raise ValueError(
                    f"data.degrade: a blur of sigma {widest:g} must be less than a sixth of the input's side, which is "
                    f"train.stages.{i}.crop / data.scale = {stage.crop // scale}"
                )
        return self


if __name__ == "__main__":
    print(json.dumps(Config.model_json_schema(), indent=2))
