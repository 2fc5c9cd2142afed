"""Loss networks by name: frozen classifiers of torchvision's, of which some activations are compared."""

import io
import operator
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stderr
from typing import Self

import torch
import torchvision
from torch import Tensor, fx, nn
from torchvision.models import WeightsEnum
from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

from common.config.losses import VGG_LAYERS
from common.models.vgg16 import VGGS, VGG16Features, warn_of_random_weights
from common.models.weights import StateDict, read_weights_file
from common.runtime.errors import UserError
from common.runtime.nearest import did_you_mean

FIRES = (3, 4, 6, 7, 9, 10, 11, 12)  # where they stand in torchvision's SqueezeNet 1.1
SQUEEZENET_NODES = {"relu1": "features.1"} | {f"fire{i}": f"features.{n}" for i, n in enumerate(FIRES, 2)}
SHOWN = 20  # names in a message, at most


def get_features(net: str, layers: Iterable[str], weights: str, key: str = "loss.vgg") -> nn.Module:
    """(N, 3, H, W) RGB in [0, 1] -> {layer name: activation (N, C, h, w) in float32}, frozen, cut where that is easy.

    net and layers: as `layer_names` has them. weights: 'torchvision' (the best that it has, downloaded once and
    cached), 'random' (seeded, the same every time), or a .pth or .safetensors file in torchvision's layout. key: the
    setting or option that messages name. Raises UserError if there is no such network or layer, before anything is
    downloaded, and if the weights cannot be read or downloaded.
    """
    layers = list(layers)
    valid = layer_names(net, key)
    for name in layers:
        if name not in valid:
            known = sorted(valid, key=lambda layer: layer.count("."))[:SHOWN]
            more = ", ..." if len(valid) > SHOWN else ""
            raise UserError(
                f"{key}: {net} has no layer '{name}', but {', '.join(known)}{more}{did_you_mean(name, valid)}"
            )
    for vgg in VGGS:
        if net == vgg:
            return VGG16Features(layers, weights, key, vgg)
    return GraphFeatures(net, layers, weights, key)


def layer_names(net: str, key: str = "loss.vgg") -> Sequence[str]:
    """The layers of a network, by name.

    `relu1_1` ... of `vgg16` and `vgg19`; `relu1`, `fire2` ... `fire9` of `squeezenet`, which is SqueezeNet 1.1. Of
    every other classifier of torchvision's the nodes that `get_graph_node_names` finds, and the modules around them,
    each of which stands for its last node. Raises UserError if there is no such network.
    """
    if net in VGG_LAYERS:
        return VGG_LAYERS[net]
    if net == "squeezenet":
        return tuple(SQUEEZENET_NODES)
    classifiers = torchvision.models.list_models(torchvision.models)
    if net not in classifiers:
        raise UserError(
            f"{key}: there is no network '{net}': give vgg16, vgg19, squeezenet, or another classifier of torchvision's"
            f"{did_you_mean(net, [*classifiers, 'squeezenet'])}"
        )
    paths = [node.split(".") for node in node_names(build_empty(net))]
    return tuple(dict.fromkeys(".".join(path[:end]) for path in paths for end in range(1, len(path) + 1)))


class GraphFeatures(nn.Module):
    """What `get_features` returns of every network but the VGGs."""

    mean: Tensor
    std: Tensor

    def __init__(self, net: str, layers: Iterable[str], weights: str, key: str) -> None:
        super().__init__()
        nodes = {name: SQUEEZENET_NODES[name] if net == "squeezenet" else name for name in layers}
        net = "squeezenet1_1" if net == "squeezenet" else net
        model = build_empty(net)
        found = node_names(model)
        self.nodes = {name: last_node(node, found) for name, node in nodes.items()}
        self.network = extract(model, self.nodes.values())
        check_maps(self.network, self.nodes, net, key)
        load_weights(self.network, net, weights, key)
        transform = best_weights(net).transforms()  # not all have ImageNet's mean and standard deviation
        self.register_buffer("mean", torch.tensor(transform.mean)[:, None, None])
        self.register_buffer("std", torch.tensor(transform.std)[:, None, None])
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Self:
        return super().train(False)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        activations = self.network((image - self.mean) / self.std)
        return {name: activations[node].float() for name, node in self.nodes.items()}


def build_empty(net: str) -> nn.Module:
    """A classifier of torchvision's in eval mode, of tensors without memory."""
    with warnings.catch_warnings(action="ignore", category=FutureWarning):  # of how two of them are initialised
        try:
            with torch.device("meta"):
                model = torchvision.models.get_model(net, weights=None)
        except NotImplementedError:  # RegNets compute with numbers of tensors as they are built
            model = torchvision.models.get_model(net, weights=None).to("meta")
    if hasattr(model, "transform_input"):  # as torchvision sets it with weights
        model.transform_input = True  # pyright: ignore[reportArgumentType]
    return model.eval()


def node_names(model: nn.Module) -> list[str]:
    """Of a model in eval mode, in the order of computation."""
    return get_graph_node_names(model, suppress_diff_warning=True)[1]


def last_node(name: str, nodes: Iterable[str]) -> str:
    """The last of `nodes` that is `name` or within the module of that name."""
    return [node for node in nodes if f"{node}.".startswith(f"{name}.")][-1]


def extract(model: nn.Module, nodes: Iterable[str]) -> fx.GraphModule:
    """x -> {node: activation}: as far as the deepest of them, and so that no later layer overwrites one."""
    dual = create_feature_extractor(model, list(dict.fromkeys(nodes)), suppress_diff_warning=True)
    dual.eval()
    for node in dual.graph.nodes:
        if node.kwargs.get("inplace"):
            node.update_kwarg("inplace", False)
        if node.target is operator.iadd:
            node.target = operator.add
    network = fx.GraphModule(dual, dual.graph)  # without the graph of train mode
    for module in network.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # pyright: ignore[reportArgumentType]
    return network


def check_maps(network: nn.Module, nodes: Mapping[str, str], net: str, key: str) -> None:
    """Raises UserError if a network without memory takes but one size, or a layer's activation is not (N, C, h, w)."""
    try:
        with redirect_stderr(io.StringIO()):  # where torch prints which line of a graph failed
            upright, lying = (network(torch.empty(1, 3, *size, device="meta")) for size in ((128, 96), (96, 128)))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise UserError(f"{key}: {net} does not take pictures of any size, as a loss needs it to") from error
    for name, node in nodes.items():
        a, b = upright[node], lying[node]
        if not isinstance(a, Tensor) or a.ndim != 4 or a.shape != b.mT.shape:
            raise UserError(f"{key}: layer '{name}' of {net} is no map of channels (N, C, h, w)")


def load_weights(network: fx.GraphModule, net: str, weights: str, key: str) -> None:
    """Gives a network without memory its weights: 'torchvision', 'random' or a file."""
    state = random_weights(net, key) if weights == "random" else read_weights(net, weights, key)
    wanted: StateDict = {}
    for name, empty in network.state_dict().items():
        # Of batches that were trained on: files made by old torch have no such numbers, and nothing here needs them.
        value = torch.tensor(0) if name.endswith("num_batches_tracked") else state.get(name)
        if value is None or value.shape != empty.shape:
            raise UserError(f"{key} = {weights}: not a {net} in torchvision's layout ({name} of {list(empty.shape)})")
        wanted[name] = value.to(empty.dtype)
    network.load_state_dict(wanted, assign=True)


def best_weights(net: str) -> WeightsEnum:
    return torchvision.models.get_model_weights(net)["DEFAULT"]


def read_weights(net: str, weights: str, key: str) -> StateDict:
    state = read_weights_file(weights, key, best_weights(net))
    # torchvision's own files of DenseNets have names of an older torch: norm.1 is norm1.
    return {re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d)", r"\1\2", name): value for name, value in state.items()}


def random_weights(net: str, key: str) -> StateDict:
    """As torchvision initialises the network, the same every time."""
    warn_of_random_weights(net, key)
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings(action="ignore", category=FutureWarning):
        torch.default_generator.manual_seed(0)
        return torchvision.models.get_model(net, weights=None).state_dict()
