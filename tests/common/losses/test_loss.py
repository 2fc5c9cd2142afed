import math
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from common.config.losses import SETTINGS, LossConfig
from common.losses.artefacts import tv_loss
from common.losses.loss import PerceptualLoss
from common.losses.perceptual import DISTANCES, TimesItsTranspose, gram_matrix
from common.losses.pulls import measure_pulls, shares
from common.models.vgg16 import VGG16Features


def loss(**terms):
    return PerceptualLoss(LossConfig.model_validate({"vgg": "random", **terms}))


def test_gram_matrix_of_a_worked_example():
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])  # C = 2, H = 1, W = 2
    expected = torch.tensor([[[5.0, 11.0], [11.0, 25.0]]]) / 4
    torch.testing.assert_close(gram_matrix(features), expected)


def test_gram_matrix_of_a_constant_image():
    torch.testing.assert_close(gram_matrix(torch.full((1, 4, 3, 5), 2.0)), torch.full((1, 4, 4), 4.0 / 4))


def test_gradient_of_a_product_with_its_transpose():
    assert torch.autograd.gradcheck(TimesItsTranspose.apply, torch.rand(2, 3, 5, dtype=float, requires_grad=True))


def test_gram_matrix_does_not_overflow_in_half_precision():
    features = torch.full((1, 2, 64, 64), 60.0, dtype=torch.float16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        gram = gram_matrix(features)
    assert gram.dtype == torch.float32
    torch.testing.assert_close(gram, torch.full((1, 2, 2), 1800.0))


def test_feature_and_gram_terms_from_their_definitions(noise):
    pred = noise.flip(3)
    vgg = VGG16Features(["relu1_2", "relu2_2"], "random")
    p, t = vgg(pred), vgg(noise)
    layers = {"relu1_2": 2.0, "relu2_2": 0.5}
    expected_features = 3 * (2 * F.l1_loss(p["relu1_2"], t["relu1_2"]) + 0.5 * F.l1_loss(p["relu2_2"], t["relu2_2"]))
    grams = [F.mse_loss(gram_matrix(p[name]), gram_matrix(t[name])) for name in layers]
    expected_gram = 1e4 * (2 * grams[0] + 0.5 * grams[1])
    perceptual = loss(
        features={"weight": 3, "distance": "l1", "layers": layers},
        gram={"weight": 1e4, "distance": "mse", "layers": layers},
    )
    total = perceptual(pred, noise)
    torch.testing.assert_close(perceptual.terms["features"], expected_features)
    torch.testing.assert_close(perceptual.terms["gram"], expected_gram)
    torch.testing.assert_close(total, expected_features + expected_gram)


def test_weighted_terms_add_up_to_the_loss(noise):
    perceptual = loss(l1=0.3, mse=2, psnr=0.01, psnr_mae=0.02, ssim=0.5, tv=0.1)
    pred = noise.roll(1, dims=3)
    total = perceptual(pred, noise)
    assert perceptual.vgg is None
    assert list(perceptual.terms) == perceptual.names == ["l1", "mse", "psnr", "psnr_mae", "ssim", "tv"]
    assert total.item() == pytest.approx(sum(term.item() for term in perceptual.terms.values()))
    assert perceptual.terms["l1"].item() == pytest.approx(0.3 * (pred - noise).abs().mean().item())
    assert perceptual.terms["mse"].item() == pytest.approx(2 * (pred - noise).square().mean().item())
    assert perceptual.terms["tv"].item() == pytest.approx(0.1 * tv_loss(pred, noise).mean().item())


def test_reduction_none_gives_each_images_own_loss(noise):
    perceptual, pred = loss(l1=1), noise.flip(2)
    perceptual.reduction = "none"
    each = perceptual(pred, noise)
    torch.testing.assert_close(each, (pred - noise).abs().mean(dim=(1, 2, 3)))
    torch.testing.assert_close(perceptual.terms["l1"], each)


def test_under_autocast_the_vgg_alone_is_in_half_precision(noise):
    layers = {"relu1_2": 1, "relu3_1": 1}
    perceptual = loss(ssim=1, features={"weight": 1, "layers": layers}, gram={"weight": 9, "layers": layers})
    pred = noise.flip(3).requires_grad_()
    total = perceptual(pred, noise)
    (expected,), terms = torch.autograd.grad(total, pred), perceptual.terms
    seen = []
    perceptual.vgg.layers.conv3_1.register_forward_hook(lambda _module, _inputs, output: seen.append(output.dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = perceptual(pred, noise)
    (gradient,) = torch.autograd.grad(half, pred)
    assert seen == [torch.bfloat16, torch.bfloat16]
    assert half.dtype == torch.float32
    assert perceptual.terms["ssim"] == terms["ssim"]
    torch.testing.assert_close(perceptual.terms, terms, rtol=0.01, atol=0)
    assert torch.cosine_similarity(gradient.flatten(), expected.flatten(), dim=0) > 0.99


def test_gradients_reach_the_prediction_only(noise):
    pred, target = noise.flip(3).requires_grad_(), noise.clone().requires_grad_()
    loss(features={"weight": 1, "layers": {"relu1_2": 1}})(pred, target).backward()
    assert pred.grad.abs().sum() > 0
    assert target.grad is None


def test_perfect_predictions_cost_nothing(noise):
    perceptual = loss(l1=1, mse=1, ssim=1, features={"weight": 1, "layers": {"relu2_2": 1}})
    assert perceptual(noise, noise).item() == pytest.approx(0, abs=1e-5)
    assert math.isfinite(loss(psnr=1)(noise, noise).item())


def test_relative_distance_of_a_worked_example():
    pred, target = torch.zeros(2, 1, 1, 2), torch.tensor([[[[3.0, 4.0]]], [[[0.0, 2.0]]]])
    pred[0, 0, 0] = torch.tensor([3.0, 5.0])  # off by 1 of 9 + 16, and by all of 4
    assert DISTANCES["relative"](pred, target).mean().item() == pytest.approx((1 / 25 + 4 / 4) / 2)
    assert DISTANCES["relative"](100 * pred, 100 * target).mean().item() == pytest.approx((1 / 25 + 4 / 4) / 2)


def test_a_remembered_target_changes_nothing_but_what_is_computed(noise):
    layers = {"relu1_1": 1, "relu2_1": 1}
    criterion = loss(features={"weight": 1, "layers": layers}, gram={"weight": 9, "layers": layers}, l1=1)
    other, seen = noise.flip(-1), []
    criterion.vgg.register_forward_hook(lambda *_: seen.append(1))
    expected = criterion(other, noise), criterion(noise, other)
    criterion.remember(noise)
    seen.clear()
    torch.testing.assert_close((criterion(other, noise), criterion(noise, other)), expected)
    assert len(seen) == 3  # the prediction; the prediction and another target


def test_random_filters_tell_textures_of_equal_colours_apart():
    y, x = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    lying, standing, dots = (p.float().expand(1, 3, 64, 64) for p in (y // 4 % 2, x // 4 % 2, (x // 4 + y // 4) % 2))
    vgg = VGG16Features(["relu2_2"], "random")
    grams = [gram_matrix(vgg(picture)["relu2_2"]) for picture in (lying, standing, dots, lying.roll(2, dims=2))]
    far = min(DISTANCES["relative"](grams[i], grams[j]).item() for i, j in ((0, 1), (0, 2), (1, 2)))
    assert far > 20 * DISTANCES["relative"](grams[3], grams[0]).item()


LAYERS = {"relu1_2": 1.0, "relu2_2": 0.5}
ORACLES = {  # every term: the test that compares it with an independent value
    **{f"{name}": "test_pixels.py" for name in ("l1", "mse", "charbonnier", "huber", "psnr", "psnr_mae")},
    **{f"{name}": "test_structure.py" for name in ("ssim", "ms_ssim", "gradient", "laplacian")},
    **{f"{name}": "test_frequency.py" for name in ("fft", "focal_frequency")},
    **{f"{name}": "test_color.py" for name in ("chroma", "lowres", "input", "colorfulness")},
    **{f"{name}": "test_artefacts.py" for name in ("tv", "ldl", "grid")},
    **{f"{name}": "test_loss.py" for name in ("features", "gram")},
    **{f"{name}": "test_style.py" for name in ("statistics", "sliced")},
    "contextual": "test_contextual.py",
    "lpips": "../models/test_lpips.py",
    "dists": "../models/test_dists.py",
}


def test_every_term_has_an_oracle():
    terms = [name for name in LossConfig.model_fields if name not in SETTINGS]
    assert sorted(ORACLES) == sorted(terms)
    for name, file in ORACLES.items():
        assert name in (Path(__file__).parent / file).read_text(), name


def in_one_line(name):
    """A term with a weight of 2, as a line of YAML."""
    return {"weight": 2, "layers": LAYERS} if name in ("features", "gram", "statistics", "sliced", "contextual") else 2


@pytest.mark.parametrize(
    "name", sorted(ORACLES.keys() - {"lpips", "dists"})
)  # whose weights are not here, or not narrow
def test_every_term_counts_as_its_weight_says_picture_by_picture(name, noise):
    other = "mse" if name == "l1" else "l1"
    perceptual, pred = loss(**{name: in_one_line(name), other: 1}), noise.flip(3).requires_grad_()
    perceptual.input = F.avg_pool2d(noise, 2)
    torch.manual_seed(0)
    total = perceptual(pred, noise)
    term = perceptual.terms[name].clone()
    torch.testing.assert_close(total.detach(), term + perceptual.terms[other])
    total.backward()
    assert pred.grad.isfinite().all()
    heavier = loss(**{name: {**in_one_line(name), "weight": 6} if isinstance(in_one_line(name), dict) else 6})
    heavier.input = perceptual.input
    torch.manual_seed(0)
    torch.testing.assert_close(heavier(pred.detach(), noise), 3 * term)
    heavier.reduction = "none"
    torch.manual_seed(0)
    each = heavier(pred.detach(), noise)
    assert each.shape == (len(noise),)
    torch.testing.assert_close(each.mean(), 3 * term)


def test_a_term_counts_after_its_part_of_the_training(noise):
    perceptual = loss(l1=1, mse={"weight": 1, "from": 0.5}, gram={"weight": 1, "layers": LAYERS, "from": 0.25})
    names = {}
    for progress in (0, 0.25, 0.49, 0.5, 1):
        perceptual.progress = progress
        perceptual(noise.flip(3), noise)
        names[progress] = sorted(perceptual.terms)
    assert names == {
        0: ["l1"], 0.25: ["gram", "l1"], 0.49: ["gram", "l1"], 0.5: ["gram", "l1", "mse"], 1: ["gram", "l1", "mse"],
    }  # fmt: skip


def test_terms_share_a_network_and_may_have_one_of_their_own(noise):
    other = {"weight": 1, "net": "vgg19", "weights": "random", "layers": {"relu1_1": 1}}
    perceptual = loss(features={"weight": 1, "layers": LAYERS}, gram={"weight": 1, "layers": LAYERS}, statistics=other)
    assert perceptual.network("features") is perceptual.network("gram") is perceptual.vgg
    assert perceptual.network("statistics") is perceptual.others["1"]
    assert perceptual(noise.flip(3), noise) > 0
    assert loss(statistics=other).vgg is None


def test_pulls_are_those_of_the_gradients(noise):
    perceptual, pred = loss(l1=0.5, mse=3), noise.flip(3)
    pulls = measure_pulls(perceptual, pred, noise)
    assert pulls["l1"] == pytest.approx(0.5, rel=1e-3)
    difference = (pred - noise).square().mean().sqrt().item()
    assert pulls["mse"] == pytest.approx(3 * 2 * difference, rel=1e-4)
    assert shares({"a": 1, "b": 3}) == {"a": 0.25, "b": 0.75}


def test_a_network_works_only_once_a_term_of_it_counts(noise):
    config = LossConfig.model_validate(
        {"vgg": "random", "l1": 1, "features": {"weight": 1, "layers": LAYERS, "from": 0.5}}
    )
    loss, seen = PerceptualLoss(config), []
    loss.network("features").register_forward_hook(lambda *_: seen.append(loss.progress))
    for loss.progress in (0.0, 0.4, 0.5, 1.0):
        loss(noise, noise.flip(2))
    assert seen == [0.5, 0.5, 1.0, 1.0]  # the prediction's and the target's
