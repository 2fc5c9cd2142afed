from types import SimpleNamespace

import pytest
import safetensors.torch
import torch
from torch.nn import functional as F
from torchvision.models.vgg import cfgs, make_layers

from common.models import dists as dists_module
from common.models.dists import DISTS, L2Pool, similarities
from common.models.vgg16 import init_random_filters
from common.runtime.errors import UserError

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("wide")]


@pytest.fixture(scope="module")
def dists(wide):
    return DISTS("random")


def torchmetrics_dists(layers, monkeypatch):
    """torchmetrics' network on a VGG16's layers, without a download."""
    from torchmetrics.functional.image import dists

    monkeypatch.setattr(dists, "vgg16", lambda weights: SimpleNamespace(features=layers))
    return dists.DISTSNetwork().eval()


def test_dists_is_that_of_torchmetrics(dists, noise, monkeypatch):
    layers = make_layers(cfgs["D"])
    init_random_filters(layers)
    expected = torchmetrics_dists(layers, monkeypatch)(F.avg_pool2d(noise, 3, 1, 1), noise)
    torch.testing.assert_close(dists(F.avg_pool2d(noise, 3, 1, 1), noise), expected.detach(), rtol=0, atol=1e-5)


def test_imagenets_dists_is_that_of_torchmetrics_and_forgives_grain(shared, noise, monkeypatch):
    file = shared / "weights/vgg16_imagenet.safetensors"
    if not file.is_file():
        pytest.skip("no weights of VGG16 here")
    layers = make_layers(cfgs["D"])
    layers.load_state_dict(
        {name.removeprefix("features."): value for name, value in safetensors.torch.load_file(file).items()}
    )
    dists, theirs = DISTS(str(file)), torchmetrics_dists(layers, monkeypatch)
    other = torch.rand_like(noise)  # the same texture
    smooth = F.avg_pool2d(noise, 3, 1, 1)  # nearer by its mean squared error
    for pred in (other, smooth):
        torch.testing.assert_close(dists(pred, noise), theirs(pred, noise).detach(), rtol=0, atol=1e-4)
    assert (dists(other, noise) < dists(smooth, noise)).all()


def test_similarities_of_hand_numbers():
    x = torch.tensor([1.0, 3.0, 1.0, 3.0]).view(1, 1, 2, 2)  # mean 2, variance 1
    y = torch.tensor([2.0, 6.0, 2.0, 6.0]).view(1, 1, 2, 2)  # mean 4, variance 4, covariance 2
    s1, s2 = similarities(x, y)
    assert s1.item() == pytest.approx(16 / 20) and s2.item() == pytest.approx(4 / 5)


def test_activations_are_pooled_by_their_squares():
    row = torch.tensor([1.0, 2.0, 1.0]) / 4
    x = torch.rand(1, 2, 6, 4)
    padded = F.pad(x, (1, 1, 1, 1))
    expected = (padded[0, 1, 2:5, 2:5].square() * row.outer(row)).sum().sqrt()  # round the pixel (2, 2)
    torch.testing.assert_close(L2Pool()(x)[0, 1, 1, 1], expected)
    assert L2Pool()(x).shape == (1, 2, 3, 2)


def test_a_picture_counts_the_same_alone(dists, noise):
    pred = noise.flip(3)
    both = dists(pred, noise)
    torch.testing.assert_close(dists(pred[1:], noise[1:]), both[1:])
    torch.testing.assert_close(dists(pred, noise[:1])[0], both[0])


def test_gradients_lead_to_the_target_and_are_finite_there(dists, noise):
    pred = (0.5 * noise + 0.25).requires_grad_()
    before = dists(pred, noise)
    (gradient,) = torch.autograd.grad(before.sum(), pred)
    assert (dists(pred - 0.02 * gradient / gradient.abs().max(), noise) < before).all()
    for picture in (noise, torch.zeros_like(noise)):
        equal = picture.clone().requires_grad_()
        loss = dists(equal, picture)
        (gradient,) = torch.autograd.grad(loss.sum(), equal)
        torch.testing.assert_close(loss, torch.zeros(2), rtol=0, atol=1e-5)
        assert gradient.isfinite().all()
    assert not dists.train().training and not any(p.requires_grad for p in dists.parameters())


def test_gradients_of_the_similarities():
    x, y = torch.rand(2, 2, 3, 2, 2, dtype=torch.float64).unbind()
    assert torch.autograd.gradcheck(similarities, (x.requires_grad_(), y.requires_grad_()))


def test_half_precision_does_not_overflow():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        pooled = L2Pool()(torch.full((1, 2, 8, 8), 1000.0, dtype=torch.float16))
    assert pooled.dtype == torch.float32
    assert pooled[0, 0, 1, 1].item() == pytest.approx(1000)


def test_it_needs_torchmetrics(monkeypatch):
    monkeypatch.setattr("common.models.lpips.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"loss\.dists: needs the package torchmetrics"):
        dists_module.DISTS("random", key="loss.dists")
