"""The configuration of style transfer.

python -m styletransfer.config > configs/styletransfer.schema.json    writes the JSON schema for editors
"""

import json
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from common.config.section import Count, Section, YamlPath
from common.config.sections import ModelConfig, NetworkConfig, RandomPartsConfig, TaskConfig

Side = Annotated[int, Field(ge=32)]


class StyleConfig(Section, frozen=True):
    image: YamlPath | list[YamlPath] | None = Field(
        default=None,
        description="picture whose style is learned; or a list or a folder of them, for a network with several styles; "
        "null: a sample, stained tissue",
    )
    size: Side | Annotated[list[Side], Field(min_length=1)] = Field(
        default=256,
        description="short side in pixels that the picture is shrunk to; the larger, the larger its strokes; a list: "
        "seen at each of these sizes",
    )
    strength: bool = Field(
        default=False,
        description="train the strength's dial, too: model.johnson paints each photo in a strength of its own, from 0, "
        "which is the photo, to 1.5",
    )
    add: bool = Field(
        default=False,
        description="add the styles to those of train.start_from's model, in which all else stays as it is",
    )
    kept: list[str] | None = Field(
        default=None, description="with add, the styles that the model has; null: as its file says"
    )

    def of_one_picture(self, image: Path) -> Self:
        """The section for one picture, whatever its name, in the same sizes."""
        return self.model_copy(update={"image": image, "strength": False, "add": False, "kept": None})

    @property
    def sizes(self) -> list[int]:
        return self.size if isinstance(self.size, list) else [self.size]

    @property
    def is_conditional(self) -> bool:
        """Whether the network has a scale and a shift for each of several styles."""
        image = self.image
        return (
            self.add or self.strength or isinstance(image, list) or (image is not None and image.expanduser().is_dir())
        )

    @model_validator(mode="after")
    def has_a_picture(self) -> "StyleConfig":
        if self.image == []:
            raise ValueError("image: an empty list; name a picture")
        if self.strength and self.add:
            raise ValueError("strength: not with add; a model that was trained with strength keeps its dial")
        if self.kept is not None and not self.add:
            raise ValueError("kept: goes with add: true; leave it out")
        return self


class JohnsonConfig(Section, frozen=True):
    width: Count = Field(default=32, description="channels at full size; the paper has 32")
    noise: bool = Field(default=False, description="fixed noise beside the photo, so that flat areas get strokes, too")


class StyleModelConfig(NetworkConfig, frozen=True):
    """One of the two networks."""

    unet: ModelConfig | None = Field(default=None, description="the U-Net of the other tasks; null: not this one")
    johnson: JohnsonConfig | None = Field(default=None, description="Johnson et al.'s network; null: not this one")

    @model_validator(mode="after")
    def one_network(self) -> "StyleModelConfig":
        if (self.unet is None) == (self.johnson is None):
            raise ValueError("give one of model.unet and model.johnson; the other is null")
        return self

    @property
    def has_pretrained_encoder(self) -> bool:
        return self.unet is not None and bool(self.unet.pretrained)

    @property
    def has_encoder(self) -> bool:
        return self.unet is not None

    @property
    def has_batch_norm(self) -> bool:
        return self.unet is not None and self.unet.has_batch_norm

    def without_pretrained(self) -> Self:
        return self.model_copy(update={"unet": self.unet and self.unet.without_pretrained()})

    def with_vgg16_of(self, weights: Path) -> Self:
        return self.model_copy(update={"unet": self.unet and self.unet.with_vgg16_of(weights)})


class Config(TaskConfig, frozen=True):
    data: RandomPartsConfig = RandomPartsConfig()
    model: StyleModelConfig
    style: StyleConfig = StyleConfig()

    @model_validator(mode="after")
    def has_a_style_term(self) -> "Config":
        if self.loss.gram is None and self.loss.statistics is None and self.loss.sliced is None:
            raise ValueError("loss.gram: missing; it is what compares styles (or statistics, or sliced)")
        return self

    @model_validator(mode="after")
    def input_is_the_target(self) -> "Config":
        if self.loss.input:
            raise ValueError("loss.input: the input is the photo, and so is the target; use l1 or lowres")
        return self

    @model_validator(mode="after")
    def several_styles_fit_the_network(self) -> "Config":
        is_folder = isinstance(self.style.image, Path) and self.style.image.expanduser().is_dir()
        if self.model.johnson is None and self.style.strength:
            raise ValueError("style.strength: only model.johnson has the dial; leave it out, or give that network")
        if self.model.johnson is None and (self.style.add or is_folder or isinstance(self.style.image, list)):
            raise ValueError("style: only model.johnson can have several styles; give one picture, or that network")
        if self.style.add and self.style.kept is None and self.train.start_from is None:
            raise ValueError("style.add: needs train.start_from, a model of several styles to add to")
        return self

    @model_validator(mode="after")
    def rates_fit_the_network(self) -> "Config":
        for i, stage in enumerate(self.train.stages if self.model.johnson is not None else []):
            if isinstance(stage.lr, list):
                raise ValueError(f"train.stages.{i}.lr: must be one number, since model.johnson has no encoder")
            if stage.frozen:
                raise ValueError(f"train.stages.{i}.frozen: must be false, since model.johnson has no encoder")
        return self


if __name__ == "__main__":
    print(json.dumps(Config.model_json_schema(), indent=2))
