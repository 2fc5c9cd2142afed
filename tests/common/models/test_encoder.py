"""VGG16 as a U-Net's encoder, thin decoders, half size."""

import pytest
import torch
import torchvision

from common.models.encoder import get_encoder
from common.models.unet import Unet
from common.models.vgg16 import VGG16Features
from common.runtime.errors import UserError


def build(encoder="vgg16", **options):
    return Unet(encoder, **{"pretrained": False, "norm": "none", "width": 0.25, **options})


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "vgg.pth"
    torch.manual_seed(1)
    torch.save(torchvision.models.vgg16().state_dict(), path)
    return path


@torch.no_grad()
def test_a_vgg16_shows_the_decoder_what_it_shows_a_loss(vgg_file):
    layers, skips, channels, _ = get_encoder("vgg16", vgg_file)
    seen, x = {}, torch.rand(1, 3, 64, 96)
    features = VGG16Features(("relu2_2", "relu3_3", "relu4_3", "relu5_3"), str(vgg_file))
    expected = features(x)
    x = (x - features.mean) / features.std
    for name, layer in layers.named_children():
        x = layer(x)
        seen[name] = x
    for i, (skip, at) in enumerate(zip(skips, expected.values(), strict=True)):
        torch.testing.assert_close(seen[skip], at)
        assert at.shape[1:] == (channels[i], 64 >> i + 1, 96 >> i + 1)
    assert x.shape[1:] == (channels[-1], 2, 3)


def test_batch_norm_of_an_encoder_stays_as_pretrained():
    unet = build("vgg16_bn").train()
    norms = [module for module in unet.encoder.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert len(norms) == 13
    before = [norm.running_mean.clone() for norm in norms]
    unet(torch.rand(2, 3, 32, 32))
    assert all(torch.equal(norm.running_mean, mean) for norm, mean in zip(norms, before, strict=True))


@pytest.mark.parametrize("name", ["vgg16", "vgg16_bn"])
def test_weights_of_another_network_are_refused(name, tmp_path):
    path = tmp_path / "other.pth"
    torch.save({"features.0.weight": torch.zeros(3, 3, 1, 1)}, path)
    with pytest.raises(UserError, match=f"model.pretrained = .*other.pth: not a {name} in torchvision's layout"):
        get_encoder(name, path)


@pytest.mark.parametrize("encoder", ["vgg16", "resnet18"])
@pytest.mark.parametrize("size", [(64, 64), (33, 47), (1, 7)])
def test_half_of_any_size_is_rounded_up(encoder, size):
    out = build(encoder, n_out=5, half=True)(torch.rand(2, 3, *size))
    assert out.shape == (2, 5, -(-size[0] // 2), -(-size[1] // 2))
    assert torch.count_nonzero(out) == 0


@torch.no_grad()
def test_the_decoder_is_given_activations_of_one_size_at_each_pixel():
    unet = build()
    seen = []
    for block in unet.blocks:
        block.bn.register_forward_hook(lambda *call: seen.append(call[2].square().mean(dim=1)))
    unet(torch.rand(1, 3, 64, 64))
    assert len(seen) == 4
    for squares in seen:
        torch.testing.assert_close(squares, torch.ones_like(squares), rtol=1e-2, atol=0)


def test_a_thin_decoder_has_a_part_of_the_channels():
    whole, thin = (build("resnet18", width=width) for width in (1, 0.25))
    widths = [
        (a.conv2[0].out_channels, b.conv2[0].out_channels) for a, b in zip(whole.blocks, thin.blocks, strict=True)
    ]
    assert all(b == max(8, round(a / 32) * 8) for a, b in widths)


@torch.no_grad()
def test_what_is_seen_of_each_square_of_eight_pixels(vgg_file):
    x = torch.rand(1, 3, 64, 96)
    expected = VGG16Features(("relu4_3",), str(vgg_file))(x)["relu4_3"]
    torch.testing.assert_close(build(pretrained=vgg_file).at_eighth(x), expected)
    assert build().at_eighth(x[..., :40, :50]).shape[2:] == (8, 8)  # of 64 x 64
