import pytest
import torch

from styletransfer.johnson import NOISE_SIDE, TransformationNetwork, fixed_noise


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


def test_a_flat_photo_is_painted_flat_but_with_noise():
    flat = torch.full((1, 3, 64, 64), 0.5)
    with torch.no_grad():
        assert TransformationNetwork(width=4)(flat).std(dim=(2, 3)).max() < 1e-5
        assert TransformationNetwork(width=4, noise=True)(flat).std(dim=(2, 3)).min() > 0.01


def test_noise_is_the_same_each_time_but_in_training():
    network, photo = TransformationNetwork(width=4, noise=True), torch.rand(1, 3, 300, 40)
    network.eval()
    noise = network.with_noise(photo)[0, 3]
    assert torch.equal(noise[:NOISE_SIDE], torch.tensor(fixed_noise())[:, :40])
    assert torch.equal(noise[NOISE_SIDE:], noise[: 300 - NOISE_SIDE])  # it repeats
    assert torch.equal(network.with_noise(photo[:, :, 100:], top=100)[0, 3], noise[100:])
    assert torch.equal(network(photo), network(photo))
    network.train()
    assert not torch.equal(network.with_noise(photo), network.with_noise(photo))
    wanted = [1.764052345967664, 0.4001572083672233, 0.9787379841057392]  # numpy's first of seed 0
    assert fixed_noise()[0, :3].tolist() == pytest.approx(wanted)


def test_noise_is_no_weight_and_stays_in_one_style():
    network, photo = TransformationNetwork(width=4, styles=2, noise=True).eval(), torch.rand(1, 3, 32, 32)
    assert not any("noise" in name for name in network.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(network.in_style([0.0, 1.0])(photo), network(photo), atol=1e-4, rtol=1e-4)
