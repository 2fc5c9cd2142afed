import pytest
import torch
import torch.nn.functional as F

from common.config.losses import LossConfig
from common.losses.loss import PerceptualLoss
from common.losses.perceptual import DISTANCES, gram_matrix
from common.models.vgg16 import VGG16Features
from styletransfer.loss import QUANTILES, StyleLoss


@pytest.mark.parametrize("distance", ["l1", "mse", "relative"])
def test_a_style_takes_the_place_of_the_targets_grams(noise, distance):
    term = {"weight": 2, "distance": distance, "layers": {"relu1_1": 1, "relu2_2": 3}}
    config = LossConfig.model_validate({"vgg": "random", "gram": term, "features": {**term, "layers": {"relu1_2": 1}}})
    photos, style = noise, torch.rand(1, 3, 40, 56) ** 2
    styled = StyleLoss(config, style)
    assert styled(style, style).item() == pytest.approx(0, abs=1e-7)
    styled(photos, photos)
    assert styled.terms["features"] == 0
    vgg = VGG16Features(["relu1_1", "relu2_2"], "random")
    expected = 0
    for layer, weight in term["layers"].items():
        pred, target = gram_matrix(vgg(photos)[layer]), gram_matrix(vgg(style)[layer]).expand(2, -1, -1)
        expected += 2 * weight * DISTANCES[distance](pred, target).mean()
    torch.testing.assert_close(styled.terms["gram"], expected)
    plain = PerceptualLoss(config)
    plain(photos, photos)
    assert plain.terms["gram"] == 0  # without a style it is the target that is compared with


def test_sizes_of_a_style_are_averaged(noise):
    layers = {"relu1_2": 1.0, "relu2_2": 1.0}
    terms = {"gram": {"weight": 1, "distance": "mse", "layers": layers}, "statistics": {"weight": 1, "layers": layers}}
    config = LossConfig.model_validate({"vgg": "random", "sliced": {"weight": 1, "layers": layers}, **terms})
    large, small = noise[:1], noise[:1, :, ::2, ::2]
    both, first, second = (StyleLoss(config, style) for style in ([large, small], large, [small]))
    seen = both.activations(large)[""]
    for name in ("gram", "statistics", "sliced"):
        for layer in layers:
            directions = both.directions(seen[layer])
            mean, one, other = (loss.described_target(name, layer, {}, directions) for loss in (both, first, second))
            if name == "sliced":
                one, other = (F.interpolate(values, size=QUANTILES, mode="linear") for values in (one, other))
            torch.testing.assert_close(mean, (one + other) / 2)
