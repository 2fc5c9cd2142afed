import copy

import pytest
import torch

from common.config.sections import ModelConfig
from common.models.unet import parameter_groups
from styletransfer.config import JohnsonConfig, StyleModelConfig
from styletransfer.network import LiveSigmoid, get_model

UNET = StyleModelConfig(unet=ModelConfig(encoder="resnet18", pretrained=False, norm="spectral"))
JOHNSON = StyleModelConfig(johnson=JohnsonConfig(width=4))


def test_an_untrained_unet_leaves_the_photo_as_it_is(noise):
    model = get_model(UNET)
    for training in (True, False):
        torch.testing.assert_close(model.train(training)(noise), noise, atol=0.0101, rtol=0)


@pytest.mark.parametrize("config", [UNET, JOHNSON], ids=["unet", "johnson"])
def test_both_networks_learn_stay_in_range_and_are_copied(config):
    model, photos, target = get_model(config), torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(24):
        optimizer.zero_grad()
        pred = model(photos)
        assert pred.min() >= 0 and pred.max() <= 1
        loss = (pred - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.95 * losses[0]
    with torch.inference_mode():
        torch.testing.assert_close(copy.deepcopy(model).eval()(photos), model.eval()(photos))


@pytest.mark.parametrize(("config", "groups"), [(UNET, 2), (JOHNSON, 1)], ids=["unet", "johnson"])
def test_every_parameter_is_in_one_group(config, groups):
    model = get_model(config)
    found = parameter_groups(model)
    assert len(found) == groups
    assert {id(p) for group in found for p in group} == {id(p) for p in model.parameters()}


@pytest.mark.parametrize("upwards", [1.0, -1.0])
def test_what_is_far_brighter_than_white_still_gets_a_gradient_back(upwards):
    logits = torch.tensor([-100.0, -2.0, 0.0, 2.0, 100.0], requires_grad=True)
    result = LiveSigmoid.apply(logits)
    torch.testing.assert_close(result, logits.sigmoid())
    result.backward(torch.full((5,), upwards))
    slopes = (result * (1 - result)).detach()
    slopes[-1 if upwards > 0 else 0] = 0.05  # gradient descent goes the other way
    torch.testing.assert_close(logits.grad, upwards * slopes)


def test_a_white_spot_is_darkened_by_training():
    model, photo = get_model(JOHNSON).train(), torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        model.network.layers[-1].bias.fill_(100)
    optimizer = torch.optim.Adam([model.network.layers[-1].bias], lr=5)
    means = []
    for _ in range(40):
        optimizer.zero_grad()
        painted = model(photo)
        means.append(painted.mean().item())
        (painted - 0.5).square().mean().backward()
        optimizer.step()
    assert means[0] > 0.99
    assert min(means) < 0.7
