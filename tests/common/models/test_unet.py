import copy
import re

import pytest
import torch
import torchvision
from fastai.layers import NormType
from fastai.vision.models.unet import DynamicUnet
from torch import nn
from torch.nn.utils import parametrize, remove_spectral_norm, remove_weight_norm

from common.models.attention import SelfAttention
from common.models.decoder import EvenConv
from common.models.format_2 import with_new_names
from common.models.model_file import fold_norms
from common.models.unet import Unet, parameter_groups
from common.runtime.errors import UserError


def build(encoder="resnet18", **options):
    return Unet(encoder, **{"pretrained": False, "norm": "none", **options})


def wake(unet):
    """Gives the zero-initialised last layer weights, so that outputs tell something."""
    nn.init.normal_(unet.last.weight, std=0.1)
    return unet


def fastais(encoder, norm, attention):
    """fastai's U-Net on a ResNet, with statistics, biases and attention that do something, its norms folded."""
    layers = list(torchvision.models.get_model(encoder).children())[:-2]
    norm_type = {"batch": NormType.Batch, "weight": NormType.Weight, "spectral": NormType.Spectral}[norm]
    unet = DynamicUnet(nn.Sequential(*layers), 2, (64, 64), blur=True, self_attention=attention, norm_type=norm_type)
    for name, parameter in unet.named_parameters():
        if name.endswith(("bias", "gamma")):
            nn.init.normal_(parameter, std=0.1)
    for module in unet.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1  # statistics: those of the next batch
    unet.train()(torch.rand(2, 3, 64, 64))
    for module in unet.modules():
        if hasattr(module, "weight_g"):
            remove_weight_norm(module)
        if hasattr(module, "weight_orig"):
            remove_spectral_norm(module)
    return unet.eval()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoder", "norm", "attention"),
    [
        ("resnet18", "batch", True), ("resnet18", "weight", False), ("resnet18", "spectral", True),
        *(pytest.param("resnet34", *row, marks=pytest.mark.every)
          for row in (("batch", False), ("weight", True), ("spectral", False))),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("wide")
@torch.no_grad()
def test_the_same_picture_as_fastais_with_its_weights(encoder, norm, attention):
    theirs, ours = fastais(encoder, norm, attention).double(), build(encoder, n_out=2, norm=norm, attention=attention)
    ours = wake(fold_norms(ours)).double()  # else rounding would add up
    state = with_new_names({f"net.{name}": value for name, value in theirs.state_dict().items()})
    state = {re.sub(r"(query|key|value)\.0", r"\1", name): value for name, value in state.items()}
    missing, left_over = ours.load_state_dict(state, strict=False)
    assert missing == ["last.weight", "last.bias"] and all(name.startswith("net.layers.12.") for name in left_over)
    theirs.layers = nn.ModuleList([*theirs.layers[:12], ours.last])  # theirs: a 1 x 1 convolution, a cast to float32
    image = torch.rand(1, 3, 33, 71).double()
    padded = nn.functional.pad((image - ours.mean) / ours.std, (0, 25, 0, 31), mode="replicate")
    expected = theirs(padded)[..., :33, :71]
    assert expected.std() > 0.1
    torch.testing.assert_close(ours(image), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("upscale", "size"), [(1, (64, 64)), (2, (33, 47)), (4, (32, 32)), (1, (1, 1)), (1, (7, 101))])
def test_any_size_comes_out_upscaled_exactly_and_zero_at_the_start(upscale, size):
    out = build(n_out=2, upscale=upscale)(torch.rand(1, 3, *size))
    assert out.shape == (1, 2, size[0] * upscale, size[1] * upscale)
    assert torch.count_nonzero(out) == 0


@pytest.mark.parametrize("upscale", [1, 2, 4])
def test_the_last_layer_cannot_draw_a_grid_on_constant_features(upscale):
    conv, plain = EvenConv(5, 3, upscale), nn.Conv2d(5, 3 * upscale**2, kernel_size=3, padding=1)
    for parameter in conv.parameters():
        nn.init.normal_(parameter)
    plain.load_state_dict(conv.state_dict())
    features = torch.randn(2, 5, 1, 1).expand(2, 5, 6, 7)
    even, uneven = (nn.PixelShuffle(upscale)(layer(features)) for layer in (conv, plain))
    inner = slice(upscale, -upscale)  # zeros beyond the edges are not constant
    assert even[..., inner, inner].std(dim=(2, 3)).max() < 1e-5
    assert (uneven[..., inner, inner].std(dim=(2, 3)).min() > 0.1) == (upscale > 1)
    squares = [nn.functional.avg_pool2d(picture, upscale)[..., 1:-1, 1:-1] for picture in (even, uneven)]
    torch.testing.assert_close(*squares)  # what is shuffled from one place has the mean that its weights say
    if upscale > 1:
        assert conv(torch.randn(1, 5, 6, 7)).unflatten(1, (3, -1)).std(dim=2).mean() > 1  # where features change


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["weight", "spectral", "none"])
def test_eval_mode_agrees_with_train_mode_after_training(norm):
    unet = wake(build(norm=norm, upscale=2))
    step = torch.optim.SGD(unet.parameters(), lr=1e-3)
    for _ in range(3):
        unet.train()(torch.rand(2, 3, 32, 32)).square().mean().backward()
        step.step()
        step.zero_grad()
    x = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        for _ in range(30):  # spectral norm's power iteration, which goes on in train mode, settles
            in_training = unet.train()(x)
        torch.testing.assert_close(unet.eval()(x), in_training, rtol=1e-3, atol=1e-4)


def test_encoder_statistics_stay_as_they_were():
    unet = build().train()
    unet(10 + torch.rand(2, 3, 32, 32))
    norms = unet.frozen_batch_norms()
    assert len(norms) == 20 + 1 + 4  # ResNet18's, the one after it, four skips
    for norm in norms:
        assert not norm.training
        assert torch.count_nonzero(norm.running_mean) == 0
        assert torch.equal(norm.running_var, torch.ones_like(norm.running_var))


@pytest.mark.parametrize("norm", ["weight", "spectral", "none", "batch"])
def test_norm_covers_the_decoder_and_only_it(norm):
    unet = build(norm=norm, upscale=2, attention=False)
    decoder = (unet.middle, unet.blocks, unet.shuf, unet.res)
    convs = [m for part in decoder for m in part.modules() if isinstance(m, nn.Conv2d)]
    live_norms = [m for m in unet.modules() if isinstance(m, nn.BatchNorm2d) and m not in unet.frozen_batch_norms()]
    assert convs
    assert all(parametrize.is_parametrized(conv) == (norm in ("weight", "spectral")) for conv in convs)
    assert not any(parametrize.is_parametrized(m) for m in (*unet.encoder.modules(), unet.last))
    assert bool(live_norms) == (norm == "batch")


@pytest.mark.slow
def test_spectral_norm_makes_the_largest_singular_value_one():
    unet = build(norm="spectral").eval()
    weight = unet.middle[0][0].weight.flatten(1)
    assert torch.linalg.matrix_norm(weight, ord=2).item() == pytest.approx(1, abs=0.1)


def test_attention_can_be_left_out():
    assert sum(isinstance(m, SelfAttention) for m in build().modules()) == 1
    assert not any(isinstance(m, SelfAttention) for m in build(attention=False).modules())


@pytest.mark.parametrize("norm", ["weight", "spectral"])
def test_a_copy_after_training_works_on_its_own(norm):
    unet = wake(build(norm=norm))
    unet(torch.rand(2, 3, 32, 32)).sum().backward()
    copied, x = copy.deepcopy(unet).eval(), torch.rand(1, 3, 32, 32)
    before = unet.eval()(x)
    torch.testing.assert_close(copied(x), before)
    nn.init.zeros_(unet.encoder.conv1.weight)
    torch.testing.assert_close(copied(x), before)


@pytest.mark.slow
def test_a_compiled_step_is_the_same_step():
    unet, x = wake(build(norm="spectral")), torch.rand(1, 3, 32, 64)
    unet.blocks[1].conv2[-1].gamma.data.fill_(0.5)
    copied = copy.deepcopy(unet)
    compiled = torch.compile(copied, backend="aot_eager", fullgraph=True)
    for network in (unet, compiled):
        network(x).square().mean().backward()
    for ours, theirs in zip(unet.parameters(), copied.parameters(), strict=True):
        torch.testing.assert_close(theirs.grad, ours.grad)
    torch.testing.assert_close(compiled.eval()(x), unet.eval()(x))


def test_every_parameter_is_in_one_group():
    unet = build(norm="weight")
    encoder, rest = parameter_groups(unet)
    assert len(encoder) == len(list(unet.encoder.parameters()))
    assert {id(p) for p in encoder + rest} == {id(p) for p in unet.parameters()}
    assert len(encoder) + len(rest) == len(list(unet.parameters()))


@pytest.mark.usefixtures("wide")
def test_an_encoder_begins_with_the_weights_of_a_file(tmp_path):
    torch.manual_seed(3)
    resnet = torchvision.models.resnet18()
    state = {name: value for name, value in resnet.state_dict().items() if not name.startswith("fc.")}
    torch.save(state, tmp_path / "resnet.pth")
    encoder = Unet("resnet18", pretrained=tmp_path / "resnet.pth", norm="none").encoder
    x = torch.rand(1, 3, 64, 64)
    expected = nn.Sequential(*list(resnet.eval().children())[:-2])(x)
    torch.testing.assert_close(encoder.eval()(x), expected)
    with pytest.raises(UserError, match=r"model.pretrained = .*resnet.pth: not a resnet34 .* layer1.2.* is missing"):
        Unet("resnet34", pretrained=tmp_path / "resnet.pth")
    with pytest.raises(UserError, match=r"none.pth: no such file. Give an existing weights file"):
        Unet("resnet18", pretrained=tmp_path / "none.pth")


def test_missing_network_says_how_to_go_on(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def offline(*args, **kwargs):
        from urllib.error import URLError

        raise URLError("no route to host")

    monkeypatch.setattr("torch.hub.download_url_to_file", offline)
    with pytest.raises(UserError, match=r"resnet18.*could not be downloaded.*pretrained=false"):
        Unet("resnet18", pretrained=True)
