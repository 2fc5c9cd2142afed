"""What a GPU computes with by default, seen on a CPU: float16 autocast and its gradient scaler."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cosine_similarity

from common.batches.folders import sample_photos
from common.commands.configs import CONFIGS
from common.config.yaml_file import load_config
from common.losses.loss import PerceptualLoss
from common.photos.flat import open_photo
from common.photos.pixels import to_tensor
from superres.bicubic import resize_bicubic
from superres.config import Config
from superres.network import get_model

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("wide")]


@pytest.fixture
def config(shared):
    """The articles' loss with ImageNet's VGG16, on a network of three layers: a CPU is slow in float16."""
    words = [f"loss.vgg={shared / 'weights/vgg16_imagenet.safetensors'}", "model={network: srcnn}"]
    return load_config(Config, CONFIGS / "superres_2x.yaml", words)


@pytest.fixture
def batch():
    """(low, sharp) of a photo."""
    sharp = torch.cat([to_tensor(np.asarray(open_photo(path)))[..., :64, :64] for path in sample_photos()[:1]])
    return resize_bicubic(sharp, 0.5).clamp(0, 1), sharp


def run(loss, pred, target, half):
    """The loss, its terms and the gradient to each pixel."""
    pred = pred.detach().requires_grad_()
    with torch.autocast("cpu", dtype=torch.float16, enabled=half):
        value = loss(pred, target)
    value.backward()
    return value.detach(), dict(loss.terms), pred.grad


def test_the_whole_loss_and_its_gradient(config, batch):
    loss, (low, sharp) = PerceptualLoss(config.loss), batch
    pred = resize_bicubic(low, 2)
    value, terms, gradient = run(loss, pred, sharp, half=False)
    half_value, half_terms, half_gradient = run(loss, pred, sharp, half=True)
    assert set(terms) == {"l1", "ssim", "features", "gram"}
    torch.testing.assert_close(half_value, value, rtol=0.01, atol=0)
    for name in terms:
        torch.testing.assert_close(half_terms[name], terms[name], rtol=0.02, atol=0)
    assert half_value.dtype == torch.float32
    assert cosine_similarity(half_gradient.flatten(), gradient.flatten(), dim=0) > 0.98


def test_a_training_step(config, batch):
    """With torch's scaler, as fastai takes one: the same step as in float32, within what 11 bits can tell."""
    (low, sharp), loss, steps = batch, PerceptualLoss(config.loss), {}
    for half in (False, True):
        torch.manual_seed(0)
        model = get_model(config.model, 2).train()
        nn.init.normal_(model.unet.layers[-1].weight, std=0.01)
        before = model.unet.layers[-1].weight.detach().clone()
        optimizer, scaler = (
            torch.optim.SGD(model.parameters(), lr=1e-3),
            torch.amp.GradScaler("cpu", init_scale=2.0**7, enabled=half),
        )
        while torch.equal(model.unet.layers[-1].weight, before):  # the scaler halves its scale until nothing overflows
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.float16, enabled=half):
                value = loss(model(low), sharp)
            scaler.scale(value).backward()
            scaler.step(optimizer)
            scaler.update()
        assert scaler.get_scale() >= 1
        steps[half] = (model.unet.layers[-1].weight.detach() - before).flatten()
    assert steps[False].abs().max() > 0
    assert cosine_similarity(steps[True], steps[False], dim=0) > 0.98
    assert 0.95 < steps[True].norm() / steps[False].norm() < 1.05
