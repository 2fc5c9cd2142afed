from typing import get_args

import pytest
import safetensors.torch
import torch
import torchvision
from torchvision.models import vgg16
from torchvision.models.feature_extraction import create_feature_extractor
from torchvision.models.vgg import cfgs, make_layers

from common.config.losses import LAYER_NAMES
from common.config.sections import Encoder
from common.models.vgg16 import VGG16Features, name_layers
from common.runtime.errors import UserError

pytestmark = pytest.mark.usefixtures("wide")


def test_layer_names_are_the_relus_of_torchvisions_vgg16():
    names = [name for name, _ in name_layers(make_layers(cfgs["D"]))]
    assert tuple(name for name in names if name.startswith("relu")) == LAYER_NAMES
    assert names[:5] == ["conv1_1", "relu1_1", "conv1_2", "relu1_2", "pool1"]


def test_encoders_are_torchvisions_resnets_and_vgg16s():
    assert list(get_args(Encoder)) == torchvision.models.list_models(
        torchvision.models, include=["*resnet*", "*resnext*", "vgg16*"]
    )


@pytest.mark.slow
def test_features_are_those_of_torchvisions_vgg16(tmp_path, noise):
    torch.manual_seed(1)
    vgg = vgg16(weights=None).eval()
    torch.save(vgg.state_dict(), tmp_path / "vgg.pth")
    safetensors.torch.save_file(vgg.features.state_dict(prefix="features."), tmp_path / "vgg.safetensors")
    nodes = {"features.3": "relu1_2", "features.15": "relu3_3", "features.29": "relu5_3"}
    expected = create_feature_extractor(vgg, nodes)((noise - vgg_mean()) / vgg_std())
    for name in ("vgg.pth", "vgg.safetensors"):
        features = VGG16Features(nodes.values(), tmp_path / name)(noise)
        assert features.keys() == expected.keys()
        for layer, values in expected.items():
            torch.testing.assert_close(features[layer], values)


def vgg_mean():
    return torch.tensor([0.485, 0.456, 0.406])[:, None, None]


def vgg_std():
    return torch.tensor([0.229, 0.224, 0.225])[:, None, None]


def test_vgg_is_cut_after_the_deepest_layer_and_frozen():
    features = VGG16Features(["relu2_2", "relu1_1"], "random")
    assert list(dict(features.layers.named_children()))[-1] == "relu2_2"
    assert not any(p.requires_grad for p in features.parameters())
    assert not features.train().training


def test_random_vgg_is_the_same_every_time_and_warns(caplog):
    first, second = (VGG16Features(["relu1_2"], "random").state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert "random weights" in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.pth", None, "no such file"),
        ("broken.safetensors", b"nonsense", "cannot be read"),
        ("broken.pth", b"nonsense", "cannot be read"),
    ],
)
def test_unusable_weights_are_refused(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        VGG16Features(["relu1_1"], tmp_path / name)


def test_weights_of_another_network_are_refused(tmp_path):
    safetensors.torch.save_file({"features.0.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match="not a VGG16 in torchvision's layout"):
        VGG16Features(["relu1_1"], tmp_path / "other.safetensors")
