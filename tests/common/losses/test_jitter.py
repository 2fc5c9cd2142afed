"""`loss.jitter`: what the networks of terms see is moved."""

import pytest
import torch

from common.config.losses import LossConfig
from common.losses.loss import PerceptualLoss


def loss(**terms):
    return PerceptualLoss(LossConfig.model_validate({"vgg": "random", **terms}))


def test_jitter_moves_what_networks_see_in_training_alone(noise):
    terms = {"l1": 1, "features": {"weight": 1, "layers": {"relu1_1": 1}}}
    jittery, plain, other = loss(**terms, jitter=3), loss(**terms), noise.flip(-1)
    plain.load_state_dict(jittery.state_dict())
    moved = [plain(other[..., y:, x:], noise[..., y:, x:]) for y in range(4) for x in range(4)]
    features = [(value - (other - noise)[..., y:, x:].abs().mean()).item() for value, (y, x) in zip(
        moved, [(y, x) for y in range(4) for x in range(4)], strict=True)]  # fmt: skip
    whole_l1, seen = (other - noise).abs().mean().item(), set()
    for _ in range(60):
        jittery(other, noise)
        assert jittery.terms["l1"].item() == pytest.approx(whole_l1)
        distances = [abs(jittery.terms["features"].item() - value) for value in features]
        assert min(distances) < 1e-5
        seen.add(distances.index(min(distances)))
    assert len(seen) > 8  # of 16 places
    for still in (jittery.eval(), jittery.train()):
        still.held_out = still.training
        torch.testing.assert_close(still(other, noise), plain(other, noise))
    jittery.held_out = False
    jittery.remember(noise)
    torch.testing.assert_close(jittery(other, noise), plain(other, noise))


def test_jitter_leaves_most_of_a_small_picture():
    jittery, picture = loss(l1=1, jitter=500), torch.rand(2, 3, 32, 40)
    sides = [tuple(jittery.moved(picture)[0].shape[-2:]) for _ in range(50)]
    assert min(min(height, width - 8) for height, width in sides) == 24
    assert len(set(sides)) > 10
