"""What happens to photos before they reach us: the damages that a config may draw for its training pairs.

Blur, resize, noise and JPEG, in this order, are one pass. Two passes are the second order of Real-ESRGAN (Wang et al.
2021, arXiv 2107.10833); Zhang et al. 2021 (2103.14006) draw them for each photo as well.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from common.config.section import Section
from common.runtime.nearest import did_you_mean


def as_range(value: object) -> object:
    """A number stands for the range of it alone."""
    return [value, value] if isinstance(value, int | float) and not isinstance(value, bool) else value


def check_range(low: float, high: float) -> None:
    if low > high:
        raise ValueError(f"[{low:g}, {high:g}]: the first must not be larger than the second")


Chance = Annotated[float, Field(ge=0, le=1)]
Two = Field(min_length=2, max_length=2)  # a number alone stands for both
Sigmas = Annotated[list[Annotated[float, Field(ge=0, le=50)]], Two, BeforeValidator(as_range)]
Factors = Annotated[list[Annotated[float, Field(ge=0.1, le=8)]], Two, BeforeValidator(as_range)]
Qualities = Annotated[list[Annotated[int, Field(ge=1, le=100)]], Two, BeforeValidator(as_range)]


class DamageConfig(Section, frozen=True):
    """One kind of damage."""

    chance: Chance = Field(default=1.0, description="chance that a photo gets it")

    @model_validator(mode="after")
    def ranges_rise(self) -> "DamageConfig":
        for name in ("sigma", "factor", "quality"):
            if (value := getattr(self, name, None)) is not None:
                check_range(*value)
        return self


class BlurConfig(DamageConfig, frozen=True):
    sigma: Sigmas = Field(description="Gaussian sigma, in pixels of the picture that is blurred")
    anisotropic: Chance = Field(default=0.0, description="chance that a blur has two sigmas and an angle")


class ResizeConfig(DamageConfig, frozen=True):
    factor: Factors = Field(description="sides on the way, in terms of the input's; area, bilinear or bicubic")


class NoiseConfig(DamageConfig, frozen=True):
    sigma: Sigmas = Field(description="in 1/255; of Poisson noise at middle grey")
    grey: Chance = Field(default=0.0, description="chance that noise is the same in red, green and blue")
    poisson: Chance = Field(
        default=0.0, description="chance that noise is stronger where it is bright, as that of sensors"
    )


class JpegConfig(DamageConfig, frozen=True):
    quality: Qualities = Field(description="1 to 100; colours at half the resolution (4:2:0), as cameras save them")


class DamagePass(Section, frozen=True):
    """Damages in their order; each is left out if it is not given."""

    blur: BlurConfig | None = None
    resize: ResizeConfig | None = None
    noise: NoiseConfig | None = None
    jpeg: JpegConfig | None = None

    @model_validator(mode="after")
    def has_a_damage(self) -> "DamagePass":
        if all(getattr(self, name) is None for name in type(self).model_fields):
            raise ValueError("an empty pass: give at least one of blur, resize, noise, jpeg")
        return self


Preset = Literal["clean", "photo", "heavy"]

PRESETS: dict[Preset, list[DamagePass]] = {
    "clean": [],
    # What phones and web pages do.
    "photo": [
        DamagePass(
            blur=BlurConfig(chance=0.25, sigma=[0.2, 1.6], anisotropic=0.3),
            noise=NoiseConfig(chance=0.5, sigma=[1, 18], grey=0.2, poisson=0.2),
            jpeg=JpegConfig(chance=0.75, quality=[40, 98]),
        )
    ],
    # Scans, screenshots of screenshots. After Real-ESRGAN's two passes, with smaller ranges.
    "heavy": [
        DamagePass(
            blur=BlurConfig(chance=0.8, sigma=[0.2, 2.4], anisotropic=0.5),
            resize=ResizeConfig(chance=0.7, factor=[0.7, 2.0]),
            noise=NoiseConfig(chance=0.7, sigma=[1, 25], grey=0.4, poisson=0.4),
            jpeg=JpegConfig(chance=0.8, quality=[30, 95]),
        ),
        DamagePass(
            blur=BlurConfig(chance=0.3, sigma=[0.2, 1.2], anisotropic=0.5),
            resize=ResizeConfig(chance=0.5, factor=[0.7, 1.3]),
            noise=NoiseConfig(chance=0.4, sigma=[1, 12], grey=0.4, poisson=0.4),
            jpeg=JpegConfig(chance=0.8, quality=[30, 95]),
        ),
    ],
}


def resolve_preset(value: object) -> object:
    """The passes of a preset's name; anything else as it is. Raises ValueError if there is none of that name."""
    if isinstance(value, str):
        if value not in PRESETS:
            raise ValueError(f"must be one of {', '.join(PRESETS)}, or a list of passes{did_you_mean(value, PRESETS)}")
        return PRESETS[value]
    return value


Degradations = Annotated[
    list[DamagePass], BeforeValidator(resolve_preset, json_schema_input_type=Preset | list[DamagePass])
]
"""A list of passes, or the name of a preset."""
