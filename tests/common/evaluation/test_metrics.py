import pytest
import torch
from skimage.metrics import structural_similarity

from common.evaluation.metrics import luma, psnr_y, ssim_y
from common.photos.pixels import round_to_8_bits


def test_luma_of_black_white_and_the_primaries():
    colours = torch.tensor([[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]).float()[:, :, None, None]
    torch.testing.assert_close(luma(colours).flatten(), torch.tensor([16, 235, 81.481, 144.553, 40.966]))


def test_rounding_clamps_and_gives_multiples_of_one_255th():
    values = round_to_8_bits(torch.tensor([-0.2, 0.0, 0.5, 0.7001, 1.3]))
    torch.testing.assert_close(values * 255, torch.tensor([0.0, 0, 128, 179, 255]))


def test_psnr_y_of_a_constant_grey_difference():
    target = torch.full((1, 3, 32, 32), 100 / 255)
    pred = torch.full((1, 3, 32, 32), 110 / 255)
    difference = 10 * 219 / 255  # luma spans 219 of 255 steps
    assert psnr_y(pred, target, border=2).item() == pytest.approx(20 * torch.tensor(255 / difference).log10().item())


def test_the_border_is_shaved_and_each_image_stands_alone():
    target = torch.rand(2, 3, 40, 40)
    pred = target.clone()
    pred[0, :, :4] = 0
    pred[:, :, 20, 20] = 1 - pred[:, :, 20, 20].round()
    shaved = psnr_y(pred, target, border=4)
    assert shaved[0] > psnr_y(pred, target, border=2)[0]
    torch.testing.assert_close(shaved[1:], psnr_y(pred[1:], target[1:], border=4))


@pytest.mark.parametrize("side", ["top", "bottom", "left", "right"])
def test_border_pixels_are_shaved_at_each_side_and_not_one_more(side):
    target = torch.full((1, 3, 32, 32), 0.5)
    for distance, seen in ((3, False), (4, True)):  # of a border of 4: its last pixel, and the next
        pred = target.clone()
        place = {
            "top": (distance, 16),
            "bottom": (31 - distance, 16),
            "left": (16, distance),
            "right": (16, 31 - distance),
        }
        pred[0, :, *place[side]] = 1
        assert (psnr_y(pred, target, border=4).item() < 99) == seen


def test_ssim_y_agrees_with_scikit_image(noise):
    pred = (noise + 0.05 * torch.randn_like(noise)).clamp(0, 1)
    for i, (p, t) in enumerate(zip(luma(round_to_8_bits(pred)), luma(round_to_8_bits(noise)), strict=True)):
        _, full = structural_similarity(
            p[0, 3:-3, 3:-3].double().numpy(), t[0, 3:-3, 3:-3].double().numpy(), win_size=11, gaussian_weights=True,
            sigma=1.5, use_sample_covariance=False, data_range=255, full=True,
        )  # fmt: skip
        assert ssim_y(pred, noise, border=3)[i].item() == pytest.approx(full[5:-5, 5:-5].mean(), abs=1e-4)


def test_a_perfect_flat_picture_counts_as_100_db():
    white = torch.ones(1, 3, 32, 32)
    assert psnr_y(white, white, border=2).item() == pytest.approx(100)
