from typing import get_args

import pytest
import torch
import torchvision

from common.config.sections import Encoder
from common.models.resnet import SHAPES, ResNet


def test_there_is_a_shape_for_each_encoder():
    assert sorted(SHAPES) == sorted(get_args(Encoder))


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_weights_have_the_names_and_sizes_of_torchvisions(name):
    with torch.device("meta"):
        theirs, ours = torchvision.models.get_model(name).state_dict(), ResNet(name, at_zero=False).state_dict()
    of_classifier = ("fc.weight", "fc.bias")
    assert {key: value.shape for key, value in ours.items()} == {
        key: value.shape for key, value in theirs.items() if key not in of_classifier
    }


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnext50_32x4d", "wide_resnet50_2"])
@torch.no_grad()
def test_features_are_torchvisions_with_its_weights(name):
    theirs, ours = torchvision.models.get_model(name).double(), ResNet(name, at_zero=False).double()
    x = torch.rand(2, 3, 64, 96).double()
    theirs(x)  # statistics that are not 0 and 1
    ours.load_state_dict({key: value for key, value in theirs.state_dict().items() if not key.startswith("fc.")})
    expected = torch.nn.Sequential(*list(theirs.eval().children())[:-2])(x)
    assert expected.std() > 0.05
    torch.testing.assert_close(ours.eval()(x), expected)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_it_starts_as_torchvisions(name):
    theirs, ours = torchvision.models.get_model(name, zero_init_residual=True), ResNet(name, at_zero=True)
    assert (ours.n_stem, ours.n_out) == (theirs.conv1.out_channels, theirs.fc.in_features)
    state = theirs.state_dict()
    for key, value in ours.state_dict().items():
        torch.testing.assert_close(value.float().mean(), state[key].float().mean(), atol=0.01, rtol=0)
        if value.numel() > 1000:
            assert value.std().item() == pytest.approx(state[key].std().item(), rel=0.1)
