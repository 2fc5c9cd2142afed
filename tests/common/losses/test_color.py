import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab

from common.losses.color import chroma_loss, colorfulness, colorfulness_loss, input_loss, lowres_loss


def test_chroma_loss_agrees_with_scikit_image(noise):
    pred = noise.flip(2)
    first, second = (rgb2lab(picture.double().numpy(), channel_axis=1)[:, 1:] for picture in (pred, noise))
    np.testing.assert_allclose(chroma_loss(pred, noise), np.abs(first - second).mean(axis=(1, 2, 3)) / 100, rtol=1e-4)


def test_greys_differ_in_no_chroma():
    light, dark = torch.full((1, 3, 4, 4), 0.8), torch.full((1, 3, 4, 4), 0.2)
    assert chroma_loss(light, dark).item() == pytest.approx(0, abs=1e-4)


def test_lowres_loss_agrees_with_numpy(noise):
    squares = (noise.flip(2) - noise).numpy().reshape(2, 3, 8, 8, 6, 8).mean(axis=(3, 5))
    np.testing.assert_allclose(lowres_loss(noise.flip(2), noise), np.abs(squares).mean(axis=(1, 2, 3)), rtol=1e-5)


def test_lowres_loss_sees_no_detail_finer_than_its_squares():
    checks = (torch.arange(16)[:, None] + torch.arange(16)).remainder(2).float().expand(1, 3, 16, 16)
    assert lowres_loss(checks, 1 - checks).item() == pytest.approx(0, abs=1e-6)
    assert lowres_loss(checks, 1 - checks, factor=1).item() == 1


def test_lowres_loss_of_a_constant_offset_is_the_offset_at_any_size():
    for size in ((20, 13), (5, 30), (1, 1)):
        target = torch.rand(1, 3, *size)
        assert lowres_loss(target + 0.25, target).item() == pytest.approx(0.25, rel=1e-5)


def test_lowres_loss_counts_a_cut_square_as_the_mean_of_what_is_left():
    pred = torch.zeros(1, 3, 8, 9)
    pred[..., 8] = 0.5  # a square of one column
    assert lowres_loss(pred, torch.zeros_like(pred)).item() == pytest.approx((0 + 0.5) / 2)


def test_input_loss_shrinks_as_pillow_does(noise):
    given = torch.rand(2, 3, 16, 12)
    small = [[Image.fromarray(c).resize((12, 16), Image.Resampling.BICUBIC) for c in image] for image in noise.numpy()]
    expected = np.abs(np.array(small) - given.numpy()).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(input_loss(noise, noise, given), expected, rtol=1e-5)


def test_input_loss_at_the_same_size_is_l1(noise):
    given = noise - 0.25
    torch.testing.assert_close(input_loss(noise, noise, given), torch.tensor([0.25, 0.25]))


def test_colourfulness_of_half_red_half_green():
    image = torch.zeros(1, 3, 8, 8)
    image[:, 0, :, :4] = image[:, 1, :, 4:] = 1
    # rg = +-255: deviation 255, mean 0; yb = 127.5 throughout
    assert colorfulness(image).item() == pytest.approx(255 + 0.3 * 127.5, rel=1e-5)
    assert colorfulness_loss(image, image).item() == pytest.approx(1 - 2.9325, rel=1e-5)


def test_colorfulness_loss_agrees_with_colourfulness(noise):
    grey = noise.mean(dim=1, keepdim=True).expand_as(noise)
    for saturation in (1.0, 0.1, 0.001):
        picture = grey + saturation * (noise - grey)
        torch.testing.assert_close(
            1 - colorfulness_loss(picture, noise), colorfulness(picture) / 100, rtol=1e-4, atol=1e-6
        )
    torch.testing.assert_close(
        colorfulness_loss(3 * noise - 1, noise), 1 - colorfulness((3 * noise - 1).clamp(0, 1)) / 100
    )


def test_colorfulness_loss_of_grey_is_1(noise):
    grey = noise[:, :1].expand_as(noise)
    torch.testing.assert_close(colorfulness_loss(grey, noise), torch.ones(2))
