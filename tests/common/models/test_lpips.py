import pytest
import torch
from torch.nn import functional as F
from torchvision.models import squeezenet1_1

from common.models.lpips import LPIPS, lpips_loss
from common.runtime.errors import UserError


@pytest.fixture(scope="module")
def squeeze_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "squeeze.pth"
    torch.manual_seed(1)
    torch.save(squeezenet1_1().state_dict(), path)
    return path


@pytest.fixture
def lpips(squeeze_file):
    return LPIPS(str(squeeze_file))


def test_lpips_of_each_picture_of_a_batch_is_that_of_torchmetrics(lpips, squeeze_file, noise, tmp_path, monkeypatch):
    from torchmetrics.functional.image import learned_perceptual_image_patch_similarity

    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    (tmp_path / "hub/checkpoints/squeezenet1_1-b8a52dc0.pth").write_bytes(squeeze_file.read_bytes())
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    pred = F.avg_pool2d(noise, 3, 1, 1)
    expected = [
        learned_perceptual_image_patch_similarity(p[None], t[None], net_type="squeeze", normalize=True)
        for p, t in zip(pred, noise, strict=True)
    ]
    torch.testing.assert_close(lpips_loss(lpips, pred, noise), torch.stack(expected).detach(), rtol=1e-4, atol=1e-6)


def test_a_picture_counts_the_same_alone_and_as_the_metric(lpips, noise):
    pred = noise.flip(3)
    both = lpips_loss(lpips, pred, noise)
    for i in range(2):
        torch.testing.assert_close(lpips_loss(lpips, pred[i : i + 1], noise[i : i + 1]), both[i : i + 1])
        (metric,) = lpips([pred[i : i + 1]], noise[i : i + 1])
        torch.testing.assert_close(metric, both[i])
    towards_one = lpips_loss(lpips, pred, noise[:1])
    torch.testing.assert_close(towards_one[0], both[0])


def test_gradients_lead_to_the_target_and_are_finite_there(lpips, noise):
    pred = (0.5 * noise + 0.25).requires_grad_()
    before = lpips_loss(lpips, pred, noise)
    (gradient,) = torch.autograd.grad(before.sum(), pred)
    after = lpips_loss(lpips, pred - 0.02 * gradient / gradient.abs().max(), noise)
    assert (after < before).all()
    equal = noise.clone().requires_grad_()
    loss = lpips_loss(lpips, equal, noise)
    (gradient,) = torch.autograd.grad(loss.sum(), equal)
    assert loss.tolist() == [0, 0] and not gradient.any()
    assert not lpips.train().training and not any(p.requires_grad for p in lpips.parameters())


def test_messages_name_the_setting(tmp_path):
    with pytest.raises(UserError, match=r"loss\.lpips\.weights = .*no such file"):
        LPIPS(str(tmp_path / "none.pth"), key="loss.lpips.weights")


def test_imagenets_lpips_is_blind_to_what_people_do_not_see(shared, noise):
    """A step of brightness of 0.02 counts less than noise of the same size."""
    file = shared / "weights/squeezenet1_1_features.safetensors"
    if not file.is_file():
        pytest.skip("no weights of SqueezeNet here")
    lpips = LPIPS(str(file))
    photo = F.interpolate(noise[:, :, :8, :6], scale_factor=8, mode="bicubic").clamp(0.1, 0.9)
    brighter, noisy = photo + 0.02, photo + 0.02 * torch.randn_like(photo).sign()
    assert (lpips_loss(lpips, brighter, photo) < 0.2 * lpips_loss(lpips, noisy, photo)).all()
