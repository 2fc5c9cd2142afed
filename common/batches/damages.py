"""Damaging a photo as cameras, programs and web pages do: blur, resize, noise and JPEG, drawn by chance."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import torch
import torch.nn.functional as F
from kornia.filters import filter2d
from PIL import Image
from torch import Tensor

from common.config.damages import BlurConfig, DamagePass, JpegConfig, NoiseConfig, ResizeConfig
from common.photos.pixels import round_to_8_bits, to_image, to_tensor

MODES = ("area", "bilinear", "bicubic")


@dataclass(frozen=True)
class DrawnPass:
    """What one photo gets in one pass; None for what it does not get."""

    blur: tuple[float, float, float] | None  # two sigmas in pixels, the angle of the first in radians
    resize: tuple[float, str, str] | None  # factor, how it gets there, how it gets back
    noise: tuple[float, bool, bool] | None  # sigma in 1/255, whether it is grey, whether it is Poisson's
    jpeg: int | None  # quality

    def __str__(self) -> str:
        """Such as 'blur 1.2, noise 8.3 grey, JPEG 63'; 'clean' without any."""
        parts: list[str] = []
        if self.blur is not None:
            first, second, _ = self.blur
            parts.append(f"blur {first:.1f}" + (f" x {second:.1f}" if second != first else ""))
        if self.resize is not None:
            parts.append(f"resize {self.resize[0]:.2f}")
        if self.noise is not None:
            sigma, grey, poisson = self.noise
            parts.append(f"noise {sigma:.1f}" + " grey" * grey + " Poisson" * poisson)
        if self.jpeg is not None:
            parts.append(f"JPEG {self.jpeg}")
        return ", ".join(parts) or "clean"


def draw_passes(passes: Sequence[DamagePass], seed: int) -> list[DrawnPass]:
    """What a photo gets: it follows from `seed`."""
    rng = random.Random(seed)
    return [
        DrawnPass(draw_blur(p.blur, rng), draw_resize(p.resize, rng), draw_noise(p.noise, rng), draw_jpeg(p.jpeg, rng))
        for p in passes
    ]


def draw_blur(config: BlurConfig | None, rng: random.Random) -> tuple[float, float, float] | None:
    if config is None or rng.random() >= config.chance:
        return None
    sigma = rng.uniform(*config.sigma)
    other = rng.uniform(*config.sigma) if rng.random() < config.anisotropic else sigma
    return sigma, other, rng.uniform(0, math.pi)


def draw_resize(config: ResizeConfig | None, rng: random.Random) -> tuple[float, str, str] | None:
    if config is None or rng.random() >= config.chance:
        return None
    return rng.uniform(*config.factor), rng.choice(MODES), rng.choice(MODES)


def draw_noise(config: NoiseConfig | None, rng: random.Random) -> tuple[float, bool, bool] | None:
    if config is None or rng.random() >= config.chance:
        return None
    return rng.uniform(*config.sigma), rng.random() < config.grey, rng.random() < config.poisson


def draw_jpeg(config: JpegConfig | None, rng: random.Random) -> int | None:
    return None if config is None or rng.random() >= config.chance else rng.randint(*config.quality)


def damage(sharp: Tensor, passes: Sequence[DrawnPass], size: tuple[int, int], seed: int) -> Tensor:
    """(1, 3, H, W) in [0, 1] -> (1, 3, *size), multiples of 1/255. seed: of the noise.

    Each pass blurs, resizes, adds noise and saves as JPEG. Sizes on the way are `resize`'s factor times `size`; the
    last pass leads to `size`, bicubically where no resize was drawn.
    """
    image = sharp
    generator = torch.Generator().manual_seed(seed % 2**63)
    for i, drawn in enumerate(passes):
        if drawn.blur is not None:
            image = blur(image, *drawn.blur)
        back = "bicubic"
        if drawn.resize is not None:
            factor, mode, back = drawn.resize
            image = resize(image, (max(1, round(factor * size[0])), max(1, round(factor * size[1]))), mode)
        if i == len(passes) - 1:
            image = resize(image, size, back)
        if drawn.noise is not None:
            image = add_noise(image.clamp(0, 1), *drawn.noise, generator)
        if drawn.jpeg is not None:
            image = save_as_jpeg(image, drawn.jpeg)
    return round_to_8_bits(image if passes else resize(image, size, "bicubic"))


def gaussian_kernel(first: float, second: float, angle: float, most: int = 10**9) -> Tensor:
    """(k, k) with sum 1: a Gaussian with sigma `first` along the angle and `second` across it; 3 sigmas each way, or
    `most` pixels."""
    radius = min(most, max(1, round(3 * max(first, second))))
    y, x = torch.meshgrid(*[torch.arange(-radius, radius + 1, dtype=torch.float32)] * 2, indexing="ij")
    along, across = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    kernel = torch.exp(-0.5 * ((along / max(first, 1e-3)) ** 2 + (across / max(second, 1e-3)) ** 2))
    return kernel / kernel.sum()


def blur(image: Tensor, first: float, second: float, angle: float) -> Tensor:
    """The image blurred by `gaussian_kernel`, mirrored at its borders, so that its radius is less than a side."""
    kernel = gaussian_kernel(first, second, angle, most=min(image.shape[-2:]) - 1)
    return filter2d(image, kernel[None].to(image), border_type="reflect")


def resize(image: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    """(N, 3, H, W) -> (N, 3, *size), antialiased when shrinking. mode: 'area', 'bilinear' or 'bicubic'."""
    if tuple(image.shape[-2:]) == size:
        return image
    if mode == "area":
        return F.interpolate(image, size=size, mode="area")
    return F.interpolate(image, size=size, mode=mode, antialias=True)


def add_noise(image: Tensor, sigma: float, grey: bool, poisson: bool, generator: torch.Generator) -> Tensor:
    """The image, in [0, 1], with noise of `sigma` / 255; Poisson's has it where the image is 0.5, and grows with it.

    Drawn on the CPU, by a generator of the CPU: the same on every device (and Apple's GPU has no Poisson).
    """
    shape = (len(image), 1, *image.shape[-2:]) if grey else image.shape
    level = sigma / 255
    if not poisson:
        return image + level * torch.randn(shape, generator=generator).to(image.device)
    if level < 1e-3:
        return image
    base = image.mean(dim=1, keepdim=True) if grey else image
    photons = 0.5 / level**2  # that white gives: the variance of n photons is n
    drawn = torch.poisson(base.cpu() * photons, generator=generator).to(image.device)
    return image + drawn / photons - base


def save_as_jpeg(image: Tensor, quality: int) -> Tensor:
    """(1, 3, H, W) as it comes back from a JPEG file with colours at half the resolution, as cameras save them.

    By Pillow, on the CPU. (kornia's differentiable JPEG is off by a third of what JPEG loses at quality 30.)
    """
    buffer = BytesIO()
    to_image(image[0]).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    with Image.open(buffer) as saved:
        return to_tensor(saved).to(image)
