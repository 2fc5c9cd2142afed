import copy
import pickle

import pytest
import safetensors.torch
import torch
import torchvision
from torchvision.models import resnet18, squeezenet1_1, vgg19
from torchvision.models.feature_extraction import get_graph_node_names

from common.models.loss_networks import get_features, layer_names
from common.models.vgg16 import VGG16Features
from common.runtime.errors import UserError

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("wide")]


def normalized(picture):
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (picture - mean[:, None, None]) / std[:, None, None]


def test_vgg16_is_the_vgg16_of_before(noise):
    features = get_features("vgg16", ["relu1_2"], "random")
    assert isinstance(features, VGG16Features)
    assert torch.equal(features(noise)["relu1_2"], VGG16Features(["relu1_2"], "random")(noise)["relu1_2"])


def test_vgg19_is_that_of_torchvision_by_the_papers_names(tmp_path, noise):
    torch.manual_seed(1)
    with torch.device("meta"):
        layers = vgg19().features.eval()
    layers.to_empty(device="cpu")
    for parameter in layers.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    safetensors.torch.save_file(layers.state_dict(prefix="features."), tmp_path / "vgg.safetensors")
    ends = {"relu1_2": 4, "relu3_4": 18, "relu5_4": 36}
    features = get_features("vgg19", ends, str(tmp_path / "vgg.safetensors"))(noise)
    assert list(features) == list(ends)
    for name, end in ends.items():
        torch.testing.assert_close(features[name], layers[:end](normalized(noise)))
    assert [name for name in layer_names("vgg19") if name.startswith("relu4")] == [f"relu4_{i}" for i in range(1, 5)]
    with pytest.raises(UserError, match="not a VGG16 in torchvision's layout"):
        get_features("vgg16", ["relu1_2"], str(tmp_path / "vgg.safetensors"))


def test_squeezenets_layers_are_its_fire_modules(tmp_path, noise):
    torch.manual_seed(1)
    model = squeezenet1_1().eval()
    modules = [model.features[1], *(module for module in model.features if type(module).__name__ == "Fire")]
    expected = {}
    for name, module in zip(layer_names("squeezenet"), modules, strict=True):
        module.register_forward_hook(lambda *args, name=name: expected.update({name: args[2].clone()}))
    model.features(normalized(noise))
    torch.save(model.features.state_dict(prefix="features."), tmp_path / "features.pth")  # without the classifier
    features = get_features("squeezenet", layer_names("squeezenet"), str(tmp_path / "features.pth"))(noise)
    assert list(features) == ["relu1", *(f"fire{i}" for i in range(2, 10))]
    torch.testing.assert_close(features, expected)


def test_a_classifier_of_torchvisions_gives_its_nodes_and_modules(tmp_path, noise):
    torch.manual_seed(1)
    model = resnet18().eval()
    torch.save(model.state_dict(), tmp_path / "resnet.pth")
    x = model.bn1(model.conv1(normalized(noise)))
    stem = x.clone()  # which the ReLU overwrites
    first = model.layer1(model.maxpool(model.relu(x)))
    layers = ["layer1", "bn1", "layer1.1.relu_1"]
    features = get_features("resnet18", layers, str(tmp_path / "resnet.pth"))
    found = features(noise)
    assert list(found) == layers
    torch.testing.assert_close(found, {"layer1": first, "bn1": stem, "layer1.1.relu_1": first})
    assert not any("layer2" in name for name, _ in features.named_modules())
    assert set(get_graph_node_names(model.eval())[1]) < set(layer_names("resnet18"))


def test_no_later_layer_overwrites_an_activation(noise):
    block = "layer1.0"  # bn2, then +=, then a ReLU in place
    found = get_features("resnet18", [f"{block}.{name}" for name in ("bn2", "add", "relu_1")], "random")(noise)
    bn, added, relu = found.values()
    assert (bn < 0).any() and (added < 0).any() and not torch.equal(bn, added)
    assert torch.equal(added.clamp_min(0), relu)


@pytest.mark.parametrize(("net", "layer"), [("vgg19", "relu2_2"), ("squeezenet", "fire3"), ("mnasnet0_5", "layers.8")])
def test_networks_are_frozen_and_let_gradients_through(net, layer, noise, caplog):
    features = get_features(net, [layer], "random")
    assert "random weights" in caplog.text
    assert not features.train().training and not any(module.training for module in features.modules())
    assert not any(p.requires_grad for p in features.parameters())
    picture = noise.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        activation = features(picture)[layer]
    assert activation.dtype == torch.float32
    (gradient,) = torch.autograd.grad(activation.square().mean(), picture)
    assert gradient.isfinite().all() and gradient.abs().max() > 0


def test_random_weights_are_the_same_every_time_and_leave_random_numbers_alone(noise):
    torch.manual_seed(5)
    first = get_features("squeezenet", ["fire4"], "random")
    number = torch.rand(1)
    second = get_features("squeezenet", ["fire4"], "random")
    assert torch.equal(first(noise)["fire4"], second(noise)["fire4"])
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), number)


def test_networks_can_be_copied_and_pickled(noise):
    features = get_features("squeezenet", ["fire2"], "random")
    for twin in (copy.deepcopy(features), pickle.loads(pickle.dumps(features))):
        assert torch.equal(twin(noise)["fire2"], features(noise)["fire2"])


def test_inputs_are_scaled_as_torchvision_scales_them():
    features = get_features("efficientnet_v2_l", ["features.0"], "random")  # not ImageNet's numbers
    assert features.mean.flatten().tolist() == features.std.flatten().tolist() == [0.5, 0.5, 0.5]
    names = get_features("inception_v3", ["Conv2d_1a_3x3"], "random").network.graph.nodes
    assert any(node.name.startswith("mul") for node in names)  # to the range that Inception's weights have


def test_old_names_of_densenets_are_understood(tmp_path):
    state = {
        name.replace("norm1", "norm.1").replace("conv1", "conv.1") if "denselayer" in name else name: value
        for name, value in torchvision.models.densenet121().state_dict().items()
        if "num_batches_tracked" not in name
    }
    torch.save(state, tmp_path / "dense.pth")
    layer = "features.denseblock1.denselayer1"
    features = get_features("densenet121", [layer], str(tmp_path / "dense.pth")).state_dict()
    assert torch.equal(features[f"network.{layer}.conv1.weight"], state[f"{layer}.conv.1.weight"])


@pytest.mark.parametrize(
    ("net", "layer", "message"),
    [
        ("resnet5", "layer1", "there is no network 'resnet5'.*did you mean 'resnet50'"),
        ("squeezenet", "fire10", r"squeezenet has no layer 'fire10', but relu1, fire2.*did you mean 'fire9'"),
        ("vgg16", "relu5_4", "vgg16 has no layer 'relu5_4'"),
        ("resnet18", "layer5", r"resnet18 has no layer 'layer5', but x, conv1, .*, \.\.\.; did you mean 'layer4'"),
        ("resnet18", "flatten", r"layer 'flatten' of resnet18 is no map of channels"),
        ("swin_t", "features.1", r"layer 'features.1' of swin_t is no map of channels"),  # (N, h, w, C)
        ("vit_b_16", "conv_proj", "vit_b_16 does not take pictures of any size"),
    ],
)
def test_what_there_is_not_is_refused_before_a_download(net, layer, message, monkeypatch):
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", None)
    with pytest.raises(UserError, match=rf"loss\.features: .*{message}"):
        get_features(net, [layer], "torchvision", key="loss.features")


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save({"features.0.weight": torch.zeros(3)}, tmp_path / "other.pth")
    for net in ("squeezenet", "resnet18"):
        with pytest.raises(UserError, match=r"loss\.vgg = .*not a .* in torchvision's layout"):
            get_features(net, ["fire2" if net == "squeezenet" else "layer1"], str(tmp_path / "other.pth"))


def test_imagenets_weights_are_read(shared, noise):
    file = shared / "weights/squeezenet1_1_features.safetensors"
    if not file.is_file():
        pytest.skip("no weights of SqueezeNet here")
    model = squeezenet1_1().eval()
    model.load_state_dict(safetensors.torch.load_file(file), strict=False)
    found = get_features("squeezenet", ["fire9"], str(file))(noise)["fire9"]
    torch.testing.assert_close(found, model.features(normalized(noise)))
