import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from common.batches.damages import DrawnPass, add_noise, blur, damage, draw_passes, gaussian_kernel, save_as_jpeg
from common.batches.folders import sample_photos
from common.config.damages import PRESETS, BlurConfig, DamagePass, JpegConfig, NoiseConfig, ResizeConfig
from common.photos.pixels import to_tensor


@pytest.fixture(scope="module")
def photo():
    with Image.open(sample_photos()[2]) as image:
        return np.asarray(image.convert("RGB").crop((100, 100, 260, 228)))


def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("quality", [30, 60, 95])
def test_jpeg_is_that_of_a_file(photo, quality, tmp_path):
    Image.fromarray(photo).save(tmp_path / "a.jpg", quality=quality, subsampling="4:2:0")
    with Image.open(tmp_path / "a.jpg") as saved:
        pixels = np.asarray(saved)
    assert np.array_equal((save_as_jpeg(to_tensor(photo), quality)[0].permute(1, 2, 0).numpy() * 255).round(), pixels)
    Image.fromarray(photo).save(tmp_path / "b.jpg", quality=quality, subsampling="4:4:4")
    assert not np.array_equal(np.asarray(Image.open(tmp_path / "b.jpg")), pixels)


def test_a_round_blur_is_scipys(photo):
    ours = blur(to_tensor(photo), 1.3, 1.3, 0.4)[0, 0].numpy()
    scipys = gaussian_filter(photo[..., 0] / 255, 1.3, mode="mirror", truncate=3)
    assert abs(ours - scipys)[4:-4, 4:-4].max() < 2 / 255  # it leaves out less of the tails


@pytest.mark.parametrize("side", [1, 3, 4, 9])
def test_a_blur_reaches_no_further_than_a_small_picture(side):
    picture = torch.rand(1, 3, side, 12)
    blurred = blur(picture, 1.5, 1.5, 0.0)  # 4 pixels to each side
    assert blurred.shape == picture.shape
    assert blurred.std() < picture.std() or side == 1  # which leaves it as it is


def test_a_long_blur_has_its_sigmas_along_and_across_its_angle():
    kernel = gaussian_kernel(3.0, 1.0, math.pi / 6)
    radius = len(kernel) // 2
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    covariance = np.cov(np.stack([x.ravel(), y.ravel()]), aweights=kernel.numpy().ravel(), bias=True)
    variances, axes = np.linalg.eigh(covariance)
    assert np.sqrt(variances) == pytest.approx([1.0, 3.0], rel=0.03)
    assert abs(axes[:, 1] @ [math.cos(math.pi / 6), math.sin(math.pi / 6)]) == pytest.approx(1, abs=1e-3)


def test_noise_has_its_sigma_and_grey_noise_no_colour():
    flat = torch.full((1, 3, 300, 300), 0.5)
    coloured = 255 * (add_noise(flat, 8, False, False, generator()) - flat)
    assert coloured.std().item() == pytest.approx(8, rel=0.02)
    assert np.corrcoef(coloured[0].flatten(1))[0, 1] == pytest.approx(0, abs=0.02)
    grey = add_noise(flat, 8, True, False, generator()) - flat
    assert torch.equal(grey[:, 0], grey[:, 2])


@pytest.mark.parametrize(("brightness", "sigma"), [(0.5, 8), (0.125, 4), (0.0, 0)])
def test_poisson_noise_grows_with_the_root_of_the_brightness(brightness, sigma):
    flat = torch.full((1, 3, 300, 300), brightness)
    noise = 255 * (add_noise(flat, 8, False, True, generator()) - flat)
    assert noise.std().item() == pytest.approx(sigma, rel=0.02)
    assert noise.mean().item() == pytest.approx(0, abs=0.05)


def test_chances_and_ranges_are_kept():
    one = DamagePass(
        blur=BlurConfig(chance=0.25, sigma=[1, 2], anisotropic=0.5),
        resize=ResizeConfig(chance=0.5, factor=[0.5, 1.5]),
        noise=NoiseConfig(chance=0.75, sigma=[3, 9], grey=0.2, poisson=0.4),
        jpeg=JpegConfig(quality=[40, 60]),
    )
    drawn = [draw_passes([one], seed)[0] for seed in range(4000)]
    for name, chance in (("blur", 0.25), ("resize", 0.5), ("noise", 0.75), ("jpeg", 1)):
        assert np.mean([getattr(d, name) is not None for d in drawn]) == pytest.approx(chance, abs=0.03)
    blurs = [d.blur for d in drawn if d.blur is not None]
    assert np.mean([first != second for first, second, _ in blurs]) == pytest.approx(0.5, abs=0.06)
    assert 1 <= min(first for first, _, _ in blurs) < 1.02 < 1.98 < max(first for first, _, _ in blurs) <= 2
    noises = [d.noise for d in drawn if d.noise is not None]
    assert np.mean([grey for _, grey, _ in noises]) == pytest.approx(0.2, abs=0.03)
    assert np.mean([poisson for _, _, poisson in noises]) == pytest.approx(0.4, abs=0.03)
    assert {d.jpeg for d in drawn} == set(range(40, 61))


def test_the_last_pass_leads_to_the_size_and_the_same_seed_to_the_same_pixels(photo):
    sharp = to_tensor(photo)
    for seed in range(20):
        drawn = draw_passes(PRESETS["heavy"], seed)
        low = damage(sharp, drawn, (64, 80), seed)
        assert low.shape == (1, 3, 64, 80)
        assert torch.equal(low, damage(sharp, drawn, (64, 80), seed))
        torch.testing.assert_close(low * 255, (low * 255).round(), rtol=0, atol=1e-3)
        assert 0 <= low.min() <= low.max() <= 1


def test_what_was_drawn_is_said():
    assert str(DrawnPass(None, None, None, None)) == "clean"
    drawn = DrawnPass((1.24, 0.5, 1), (0.8, "area", "bicubic"), (8.26, True, False), 63)
    assert str(drawn) == "blur 1.2 x 0.5, resize 0.80, noise 8.3 grey, JPEG 63"


class Devices(TorchDispatchMode):
    """Remembers where random numbers are drawn."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if function.overloadpacket in (torch.ops.aten.poisson, torch.ops.aten.randn):
            self.seen.append(result.device.type)
        return result


@pytest.mark.parametrize("poisson", [False, True])
def test_noise_is_drawn_on_the_cpu_whatever_the_device(poisson):
    """With a GPU's tensors that hold no numbers; Apple's GPU has no Poisson."""
    with FakeTensorMode(), Devices() as devices:
        image = torch.full((1, 3, 8, 8), 0.5, device="cuda")
        noisy = damage(image, [DrawnPass(None, None, (9.0, True, poisson), None)], (8, 8), seed=1)
    assert devices.seen == ["cpu"]
    assert noisy.device.type == "cuda"
