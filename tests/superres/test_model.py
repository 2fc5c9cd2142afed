import pytest
import torch

from superres.bicubic import resize_bicubic
from superres.config import KEYS, SuperresModelConfig
from superres.network import get_model

CONFIG = SuperresModelConfig(encoder="resnet18", pretrained=False, norm="none")


@pytest.mark.parametrize("upsample", ["before", "after"])
@pytest.mark.parametrize("scale", [2, 4])
def test_an_untrained_model_is_bicubic(scale, upsample):
    model = get_model(CONFIG.model_copy(update={"upsample": upsample}), scale)
    low = torch.rand(1, 3, 21, 34)
    for mode in (model.train(), model.eval()):
        assert torch.equal(mode(low), resize_bicubic(low, scale))


def test_upsampling_after_runs_the_network_at_low_resolution():
    seen = {}
    for upsample in ("before", "after"):
        model = get_model(CONFIG.model_copy(update={"upsample": upsample}), 4)
        model.unet.encoder.conv1.register_forward_hook(
            lambda m, inputs, out, key=upsample: seen.update({key: inputs[0].shape})
        )
        model(torch.rand(1, 3, 32, 32))
    assert seen["after"][-2:] == (32, 32)
    assert seen["before"][-2:] == (128, 128)


def test_bicubic_of_a_straight_ramp_is_the_ramp():
    ramp = torch.arange(32.0).expand(1, 3, 8, 32) / 32
    enlarged = resize_bicubic(ramp, 2)[0, 0, 8]
    expected = (torch.arange(64) + 0.5) / 64 - 0.5 / 32
    torch.testing.assert_close(enlarged[8:-8], expected[8:-8], atol=1e-5, rtol=0)


def test_every_key_of_the_model_is_of_a_network():
    assert {key for keys in KEYS.values() for key in keys} == set(SuperresModelConfig.model_fields) - {"network"}
    assert SuperresModelConfig(encoder="resnet18", width=0.25).width == 0.25
    with pytest.raises(ValueError, match="width: network: srcnn has none"):
        SuperresModelConfig(network="srcnn", width=0.25)
