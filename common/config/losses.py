"""The `loss` section: a line a term. A term is a weight, or a section with its weight and what else it knows."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, create_model, model_validator

from common.config.section import Count, Positive, Section, Weight
from common.runtime.nearest import did_you_mean

# So that reading a config needs neither torch nor torchvision; tests compare them with theirs.
CONVOLUTIONS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}  # of each block
VGG_LAYERS = {
    net: tuple(f"relu{block}_{i}" for block, n in enumerate(numbers, 1) for i in range(1, n + 1))
    for net, numbers in CONVOLUTIONS.items()
}
LAYER_NAMES = VGG_LAYERS["vgg16"]
NO_FILES = ("torchvision", "random", "squeeze", "alex")  # words for weights
SETTINGS = ("vgg", "balance", "jitter")  # keys of the section that are no terms

NUMBER, SECTION = "a number", "a section"  # what a term is given as


def given_as(value: object) -> str:
    return SECTION if isinstance(value, dict | Section) else NUMBER


Begin = Annotated[float, Field(ge=0, lt=1, description="part of the training after which the term counts")]
if TYPE_CHECKING:

    class Weighted(Section, frozen=True):
        """It has a field `from` as well, a word that Python keeps to itself."""

        weight: Positive
else:
    Weighted = create_model("Weighted", __base__=Section, weight=(Positive, ...), **{"from": (Begin, 0.0)})


class Term(Weighted, frozen=True):
    @property
    def begin(self) -> float:
        return getattr(self, "from")

    def options(self) -> dict[str, Any]:
        """What else the term knows."""
        return {name: getattr(self, name) for name in type(self).model_fields if name not in ("weight", "from")}


class CharbonnierTerm(Term, frozen=True):
    eps: Positive = Field(default=1e-3, description="below such differences it is round")


class HuberTerm(Term, frozen=True):
    delta: Positive = Field(default=0.1, description="below such differences squared, above absolute")


class LaplacianTerm(Term, frozen=True):
    levels: Count = Field(default=3, description="of the pyramid")


class FocalFrequencyTerm(Term, frozen=True):
    alpha: Weight = Field(default=1.0, description="the higher, the more the worst frequencies count")


class LowresTerm(Term, frozen=True):
    factor: Annotated[int, Field(ge=2)] = Field(default=8, description="how many times smaller both are made")


class LdlTerm(Term, frozen=True):
    size: Annotated[int, Field(ge=3)] = Field(default=7, description="pixels a side of the window")

    @model_validator(mode="after")
    def size_is_odd(self) -> "LdlTerm":
        if self.size % 2 == 0:
            raise ValueError(f"size = {self.size}: must be odd, to have a middle")
        return self


class GridTerm(Term, frozen=True):
    period: Annotated[int, Field(ge=2)] = Field(default=4, description="pixels a side of a square of the grid")


class LpipsTerm(Term, frozen=True):
    weights: str = Field(default="squeeze", description="squeeze or alex for torchvision's, or a file of either")


class NetworkTerm(Term, frozen=True):
    """A term of activations."""

    layers: dict[str, Positive] = Field(min_length=1, description="layer: its weight")
    net: str = Field(
        default="vgg16", description="vgg16, vgg19, squeezenet, or another classifier of torchvision's by its name"
    )
    weights: str | None = Field(
        default=None, description="of net: torchvision, random or a file; null: loss.vgg, or torchvision for others"
    )

    @model_validator(mode="after")
    def layers_are_of_the_network(self) -> "NetworkTerm":  # of other networks: when they are built
        valid = VGG_LAYERS.get(self.net, tuple(self.layers))
        for name in self.layers:
            if name not in valid:
                raise ValueError(f"layers.{name}: must be one of {', '.join(valid)}{did_you_mean(name, valid)}")
        return self

    def options(self) -> dict[str, Any]:
        return {key: value for key, value in super().options().items() if key not in ("layers", "net", "weights")}


class LayerTerm(NetworkTerm, frozen=True):
    distance: Literal["l1", "mse", "relative"] = Field(
        default="l1", description="relative: squared error / the target's mean square, comparable across layers"
    )


class ContextualTerm(NetworkTerm, frozen=True):
    bandwidth: Positive = Field(default=0.5, description="the smaller, the more only the nearest counts")


Number = Annotated[Weight, Tag(NUMBER)]
By = Discriminator(given_as)
PlainTerm = Annotated[Number | Annotated[Term, Tag(SECTION)], By]


class LossConfig(Section, frozen=True):
    vgg: str = Field(
        default="torchvision", description="VGG16 weights: torchvision, random, or a .pth or .safetensors file"
    )
    balance: Literal["none", "start", "always"] = Field(
        default="none", description="start: weights are shares of the pull on the picture; always: held all through it"
    )
    jitter: Annotated[int, Field(ge=0)] = Field(
        default=0, description="rows and columns, at most, cut off both pictures before the networks of terms see them"
    )
    l1: PlainTerm = Field(default=0.0, description="mean absolute error (MAE)")
    mse: PlainTerm = Field(default=0.0, description="mean squared error")
    charbonnier: Annotated[Number | Annotated[CharbonnierTerm, Tag(SECTION)], By] = Field(
        default=0.0, description="absolute error, round at zero"
    )
    huber: Annotated[Number | Annotated[HuberTerm, Tag(SECTION)], By] = Field(
        default=0.0, description="squared for small errors, absolute for large ones"
    )
    psnr: PlainTerm = Field(default=0.0, description="minus PSNR, in dB")
    psnr_mae: PlainTerm = Field(default=0.0, description="minus PSNR computed on MAE instead of MSE, in dB")
    ssim: PlainTerm = Field(default=0.0, description="1 - SSIM")
    ms_ssim: PlainTerm = Field(default=0.0, description="1 - SSIM at up to five scales")
    gradient: PlainTerm = Field(default=0.0, description="error of the steps between pixels (Sobel)")
    laplacian: Annotated[Number | Annotated[LaplacianTerm, Tag(SECTION)], By] = Field(
        default=0.0, description="error of a Laplacian pyramid"
    )
    fft: PlainTerm = Field(default=0.0, description="error of the spectrum")
    focal_frequency: Annotated[Number | Annotated[FocalFrequencyTerm, Tag(SECTION)], By] = Field(
        default=0.0, description="error of the spectrum, most where it is worst"
    )
    chroma: PlainTerm = Field(default=0.0, description="error of a* and b*")
    lowres: Annotated[Number | Annotated[LowresTerm, Tag(SECTION)], By] = Field(
        default=0.0, description="error of both made small: colours and brightness stay where they were"
    )
    input: PlainTerm = Field(default=0.0, description="the result, made as small as the input, against the input")
    colorfulness: PlainTerm = Field(default=0.0, description="1 - colourfulness / 100, of the result alone")
    tv: PlainTerm = Field(default=0.0, description="total variation, of the result alone")
    ldl: Annotated[Number | Annotated[LdlTerm, Tag(SECTION)], By] = Field(
        default=0.0, description="absolute error, most where errors vary from pixel to pixel"
    )
    grid: Annotated[Number | Annotated[GridTerm, Tag(SECTION)], By] = Field(
        default=0.0, description="error that repeats with a period of some pixels, as dots of a pixel shuffle do"
    )
    lpips: Annotated[Number | Annotated[LpipsTerm, Tag(SECTION)], By] = Field(
        default=0.0, description="LPIPS, a distance that weighs a network's channels as people judge"
    )
    dists: PlainTerm = Field(default=0.0, description="DISTS, which forgives other grains of the same texture")
    features: LayerTerm | None = Field(default=None, description="distance of activations, of a VGG16 by default")
    gram: LayerTerm | None = Field(default=None, description="distance of Gram matrices of activations")
    statistics: NetworkTerm | None = Field(
        default=None, description="distance of means and deviations of activations, channel by channel"
    )
    sliced: NetworkTerm | None = Field(
        default=None, description="distance of the distributions of activations (sliced Wasserstein)"
    )
    contextual: ContextualTerm | None = Field(
        default=None, description="how far activations are from the nearest of the target, wherever that is"
    )

    @model_validator(mode="after")
    def has_a_term(self) -> "LossConfig":
        if not self.active_terms():
            raise ValueError("every term is zero: give at least one of l1, mse, psnr, ssim, features, gram a weight")
        if all(self.begin(name) for name in self.active_terms()):
            raise ValueError("every term has a `from`: one must count from the start")
        return self

    def active_terms(self) -> list[str]:
        """Names of the terms with a weight, in the order of this section."""
        return [name for name in type(self).model_fields if name not in SETTINGS and getattr(self, name)]

    def weight(self, name: str) -> float:
        """Of a term."""
        term = getattr(self, name)
        return term.weight if isinstance(term, Term) else term or 0.0

    def begin(self, name: str) -> float:
        """The part of the training after which a term counts."""
        term = getattr(self, name)
        return term.begin if isinstance(term, Term) else 0.0

    def options(self, name: str) -> dict[str, Any]:
        """What a term knows besides, as keywords of its function."""
        term = getattr(self, name)
        return term.options() if isinstance(term, Term) else {}

    def with_weights(self, weights: Mapping[str, float]) -> "LossConfig":
        """The section with other weights of its terms, which are no shares of anything."""
        terms = {name: getattr(self, name) for name in weights}
        return self.model_copy(update={
            name: term.model_copy(update={"weight": weights[name]}) if isinstance(term, Term) else weights[name]
            for name, term in terms.items()
        } | {"balance": "none"})  # fmt: skip

    def without_paths(self) -> dict[str, Any]:
        """As JSON values, with 'file' in place of each file of weights: for others to read."""
        values = self.model_dump(mode="json")
        terms = [term for term in values.values() if isinstance(term, dict)]
        for section, key in ((values, "vgg"), *((term, "weights") for term in terms)):
            if section.get(key) not in (None, *NO_FILES):
                section[key] = "file"
        return values

    def with_files(self, find: Callable[[str], str]) -> "LossConfig":
        """The section with find(weights) in place of all weights that it names."""
        terms = {name: getattr(self, name) for name in self.active_terms()}
        changed = {
            name: term.model_copy(update={"weights": find(term.weights)})
            for name, term in terms.items()
            if getattr(term, "weights", None) is not None
        }
        return self.model_copy(update={"vgg": find(self.vgg), **changed})

    def network_terms(self) -> dict[str, NetworkTerm]:
        """The terms of activations, by name."""
        terms = {name: getattr(self, name) for name in self.active_terms()}
        return {name: term for name, term in terms.items() if isinstance(term, NetworkTerm)}

    def weights_of(self, term: NetworkTerm) -> str:
        """Of a term's network."""
        return term.weights or (self.vgg if term.net == "vgg16" else "torchvision")

    def uses_vgg(self) -> bool:
        """Whether a term looks through the VGG16 of `vgg`."""
        terms = self.network_terms().values()
        return bool(self.dists) or any(term.net == "vgg16" and term.weights is None for term in terms)
