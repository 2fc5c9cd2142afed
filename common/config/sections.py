"""The sections of a configuration that all tasks share. A task adds its own and puts them together in its `Config`."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from common.config.losses import LossConfig
from common.config.section import Count, Positive, Section, Weight, YamlPath

# Literals, so that reading a config needs neither torch nor torchvision; tests compare them with theirs.
UNET_STRIDE = 32  # a ResNet halves its input five times

Encoder = Literal[
    "resnet101", "resnet152", "resnet18", "resnet34", "resnet50",
    "resnext101_32x8d", "resnext101_64x4d", "resnext50_32x4d",
    "vgg16", "vgg16_bn",
    "wide_resnet101_2", "wide_resnet50_2",
]  # fmt: skip


Norm = Literal["batch", "weight", "spectral", "none"]


class PhotosConfig(Section, frozen=True):
    path: YamlPath | None = Field(
        default=None,
        description="folder of photos, searched recursively; fastai:PETS: a data set of fastai's list; "
        "null: the sample photos",
    )
    valid: Annotated[float, Field(gt=0, lt=1)] | list[str] = Field(
        default=0.1,
        description="held out: about this part, drawn photo by photo; or file names or patterns below path ('test/*')",
    )
    crops_per_photo: Count = Field(default=1, description="random crops taken from each training photo in one epoch")
    cache: Literal["auto", "none"] | YamlPath = Field(
        default="auto",
        description="folder in which photos are kept decoded, for all runs; auto: in the user's cache, where they fit "
        "into a quarter of the free disk and of the memory; none: each crop decodes its photo",
    )


class RandomPartsConfig(PhotosConfig, frozen=True):
    min_scale: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.5,
        description="smallest crop, as a fraction of the photo's area; each is then shrunk to train.stages.*.crop",
    )


class NetworkConfig(Section, frozen=True):
    """The `model` section of any task."""

    @property
    def has_pretrained_encoder(self) -> bool:
        """Whether there is an encoder that was trained before, and that a stage may freeze."""
        return False

    @property
    def has_encoder(self) -> bool:
        """Whether there is an encoder, trained before or not."""
        return False

    @property
    def has_batch_norm(self) -> bool:
        """Whether the network is trained with the statistics of each batch."""
        return False

    def without_pretrained(self) -> Self:
        """The same network, to be filled with weights: it reads and downloads none."""
        return self

    def with_vgg16_of(self, weights: Path) -> Self:
        """The same network; if torchvision's VGG16 is its encoder, with these weights of it."""
        return self


class ModelConfig(NetworkConfig, frozen=True):
    """The U-Net."""

    encoder: Encoder = Field(default="resnet34", description="torchvision ResNet, or VGG16, that reads the picture")
    width: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="channels of the decoder, as a part of lesson 7's"
    )
    pretrained: bool | YamlPath = Field(
        default=True,
        description="start the encoder from torchvision's ImageNet weights (a VGG16 from loss.vgg, if that is a file), "
        "or from a .pth or .safetensors file in its layout",
    )
    norm: Norm = Field(default="spectral", description="of the decoder: batch, weight, spectral or none")
    attention: bool = Field(default=True, description="one self-attention block in the decoder")
    blur: bool = Field(default=True, description="average after each pixel shuffle, against checkerboard artefacts")

    @property
    def has_pretrained_encoder(self) -> bool:
        return bool(self.pretrained)

    @property
    def has_encoder(self) -> bool:
        return True

    @property
    def has_batch_norm(self) -> bool:
        return self.norm == "batch"

    def without_pretrained(self) -> Self:
        return self.model_copy(update={"pretrained": False})

    def with_vgg16_of(self, weights: Path) -> Self:
        has_one = self.encoder == "vgg16" and self.pretrained is True
        return self.model_copy(update={"pretrained": weights}) if has_one else self


class StageConfig(Section, frozen=True):
    crop: Annotated[int, Field(ge=32)] = Field(description="side of the square crops, in pixels")
    bs: Count = Field(description="crops in a step, of all processes together")
    epochs: Count
    steps: Count | None = Field(
        default=None, description="of an epoch; null: as many as there are crops (train.minutes fills it in)"
    )
    lr: Positive | Annotated[list[Positive], Field(min_length=2, max_length=2)] = Field(
        description="highest learning rate; or [encoder's, decoder's]"
    )
    frozen: bool = Field(default=False, description="train the decoder only, keep the pretrained encoder")


class TrainConfig(Section, frozen=True):
    stages: list[StageConfig] = Field(min_length=1, description="trained in turn, each with a one-cycle schedule")
    minutes: Positive | None = Field(
        default=None,
        description="how long to train: a few steps are timed, then the steps of all epochs are set so that the stages "
        "share this time as their epochs do; null: an epoch takes all crops",
    )
    start_from: YamlPath | None = Field(
        default=None,
        description="model file, or name of a model in the box, whose weights it begins with, where they fit; null: "
        "from nothing",
    )
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(default=0, description="seed of all random numbers")
    wd: Weight = Field(default=1e-3, description="weight decay")
    ema: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0,
        description="measure and save a running average of the weights, with this decay (0.999); 0: no average",
    )
    clip: Positive | None = Field(
        default=None,
        description="largest norm of a step's gradient: what is longer is shortened to it, so that no single step "
        "throws the network off; null: as it is",
    )
    device: str = Field(default="auto", description="auto (a GPU if there is one), cpu, cuda, cuda:1, mps, xpu")
    precision: Literal["auto", "fp32", "fp16", "bf16"] = Field(
        default="auto",
        description="auto: bf16 on CUDA, or fp16 where the GPU or the network has no bf16; on a CPU bf16 where a trial "
        "shows that it is faster; else fp32",
    )
    compile: bool = Field(
        default=False, description="compile the network: a minute or more at the start of each stage, then faster steps"
    )
    accumulate: Count = Field(
        default=1, description="compute each batch in this many parts: less memory, the same result"
    )
    workers: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="loading processes; null: on CUDA one per CPU core, at most 8; else 0"
    )
    checkpoint_minutes: Positive = Field(
        default=10, description="minutes between saves for --resume, besides one after each epoch"
    )
    measure: Count = Field(default=100, description="held-out photos that are measured whole after training, at most")
    tensorboard: bool = Field(default=False, description="write TensorBoard logs into the run folder")

    @model_validator(mode="after")
    def minutes_or_steps(self) -> "TrainConfig":
        if self.minutes is not None and any(stage.steps for stage in self.stages):
            raise ValueError("minutes and steps: minutes sets the steps of all stages; give one of the two")
        return self

    def largest_crop(self) -> int:
        return max(stage.crop for stage in self.stages)

    @field_validator("tensorboard")
    @classmethod
    def tensorboard_is_installed(cls, wanted: bool) -> bool:
        if wanted and find_spec("tensorboard") is None:
            raise ValueError("needs the package tensorboard: pip install tensorboard")
        return wanted


class OutputConfig(Section, frozen=True):
    path: YamlPath = Field(default=Path("runs"), description="each run makes a new folder in here")
    name: str | None = Field(default=None, description="of the run's folder; null: the config file's name and the time")

    @field_validator("name")
    @classmethod
    def is_a_name(cls, name: str | None) -> str | None:
        if name is not None and (name in ("", ".", "..") or set("/\\") & set(name)):
            raise ValueError("must be a name, not a path; output.path says where")
        return name


class TaskConfig(Section, frozen=True):
    """What the config of every task has; a task names its own sections in place of the first two, and adds others."""

    movable: ClassVar[tuple[str, ...]] = ()  # keys of a task's files, which may lie elsewhere when a run goes on

    data: PhotosConfig
    model: NetworkConfig
    loss: LossConfig
    train: TrainConfig
    output: OutputConfig = OutputConfig()

    def network_side(self, stage: StageConfig) -> int:
        """Pixels a side of what the network is given of a crop."""
        return stage.crop

    @model_validator(mode="after")
    def batch_norm_has_several_values(self) -> "TaskConfig":
        if mistake := self.lone_crop(1):
            raise ValueError(mistake)
        return self

    def lone_crop(self, n_processes: int) -> str | None:
        """What is wrong if batch norm would see a single value a channel in each process; None if it sees more."""
        for i, stage in enumerate(self.train.stages if self.model.has_batch_norm else []):
            if stage.bs == n_processes * self.train.accumulate and self.network_side(stage) <= UNET_STRIDE:
                return (
                    f"train.stages.{i}: batch norm needs more than one value, and a single crop of {stage.crop} px is "
                    "one value at the bottleneck; take a larger crop, more crops at a time (bs, accumulate"
                    f"{', fewer processes' * (n_processes > 1)}), or another norm"
                )
        return None
