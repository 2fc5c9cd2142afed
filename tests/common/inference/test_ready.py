import pytest
import torch
from torch import nn
from torchvision.models.resnet import Bottleneck

from common.inference.ready import fuse_batch_norms, ready
from common.models.unet import Unet

CPU = torch.device("cpu")


@pytest.fixture
def unet():
    """Untrained, but with a last layer and BatchNorms that do something."""
    unet = Unet("resnet18", pretrained=False, norm="batch").eval()
    shake(unet)
    nn.init.normal_(unet.last.weight, std=0.05)
    return unet


def shake(model):
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, 0.5, 1)
            nn.init.normal_(norm.bias, std=0.1)
            nn.init.normal_(norm.running_mean, std=0.1)
            nn.init.uniform_(norm.running_var, 0.8, 1.5)


def count_norms(model):
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


@torch.inference_mode()
def test_a_model_made_ready_gives_the_same_picture(unet, noise):
    image = noise[..., :75, :50]
    expected, before = unet(image), count_norms(unet)
    ready(unet, CPU)
    torch.testing.assert_close(unet(image), expected, atol=1e-4, rtol=1e-4)
    assert count_norms(unet) == 5 < 30 < before  # what follows no convolution: the skips' and the encoder's end
    assert unet.last.weight.is_contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def test_a_bottleneck_is_fused(noise):
    block = Bottleneck(
        3, 3, norm_layer=nn.BatchNorm2d, downsample=nn.Sequential(nn.Conv2d(3, 12, 1), nn.BatchNorm2d(12))
    )
    shake(block.eval())
    expected = block(noise)
    assert count_norms(block) == 4
    torch.testing.assert_close(fuse_batch_norms(block)(noise), expected, atol=1e-5, rtol=1e-5)
    assert count_norms(block) == 0


@torch.inference_mode()
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_is_near_and_ends_with_the_call(unet, noise, precision):
    image = noise[..., :64, :64]
    expected = unet(image)
    result = ready(unet, CPU, precision)(image).float()
    assert 0 < (result - expected).abs().max() < 0.1 * expected.abs().max()
    assert not torch.is_autocast_enabled("cpu")


def test_float32_is_not_wrapped_in_autocast(unet):
    assert "forward" not in vars(ready(unet, CPU, "fp32"))
    assert "forward" in vars(ready(unet, CPU, "bf16"))
