import pytest
import torch

from styletransfer.johnson import InstanceNorm, TransformationNetwork


@pytest.fixture
def norm():
    norm = InstanceNorm(4)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    return norm


def test_instance_norm_of_each_picture_alone(norm):
    x = torch.randn(3, 4, 6, 5)
    mean, variance = x.mean(dim=(2, 3), keepdim=True), x.var(dim=(2, 3), keepdim=True, correction=0)
    expected = (x - mean) / (variance + 1e-5).sqrt() * norm.weight[:, None, None] + norm.bias[:, None, None]
    torch.testing.assert_close(norm(x), expected)


def test_kept_statistics_serve_any_part_of_a_picture(norm):
    x = torch.randn(1, 4, 6, 5) * 2 + 1
    expected = norm(x)
    norm.fixed_statistics = x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), correction=0)
    torch.testing.assert_close(norm(x[:, :, 2:, :3]), expected[:, :, 2:, :3])


@pytest.mark.parametrize("size", [(1, 1), (5, 64), (33, 18), (40, 48)])
def test_any_size_comes_back(size):
    assert TransformationNetwork(width=4)(torch.rand(2, 3, *size)).shape == (2, 3, *size)


def test_layers_of_the_paper():
    network = TransformationNetwork(width=32)
    shapes = [tuple(m.weight.shape) for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    residual = [(128, 128, 3, 3)] * 10
    assert shapes == [
        (32, 3, 9, 9), (64, 32, 3, 3), (128, 64, 3, 3), *residual, (64, 128, 3, 3), (32, 64, 3, 3), (3, 32, 9, 9)
    ]  # fmt: skip


def test_a_brighter_or_flatter_photo_is_painted_the_same():
    # Instance norm takes contrast and brightness out (Ulyanov et al. 2016); reflected borders add nothing.
    network, photo = TransformationNetwork(width=4), torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(network(0.5 * photo + 0.3), network(photo), atol=5e-3, rtol=0)
