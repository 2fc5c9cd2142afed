import pytest
import torch

from styletransfer.johnson import TransformationNetwork


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
