"""Re-parametrised layers, SPAN's, trained as the one 3 x 3 convolution that each is in the end.

Such a layer trains as three convolutions in a row and a shortcut. A published file often has them in a degenerate form,
made from fused weights: trained from there they diverge.
"""

import copy

import torch
from torch import nn

from common.models.weights import StateDict


def find_layers(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """(name, layer) of the re-parametrised layers."""
    return [(name, module) for name, module in network.named_modules() if hasattr(module, "eval_conv")]


def fuse(network: nn.Module) -> nn.Module:
    """The network with a plain convolution in place of each such layer, changed in place."""
    for name, layer in find_layers(network):
        layer.update_params()  # pyright: ignore[reportCallIssue]  # sets eval_conv
        convolution = copy.deepcopy(layer.eval_conv)
        place, _, key = name.rpartition(".")
        setattr(network.get_submodule(place), key, convolution.requires_grad_(True))
    return network


@torch.no_grad()
def unfuse(network: nn.Module, state: StateDict) -> StateDict:
    """The state dict of a fused network as that of `network`, the same one with its layers unfused: which is filled.

    The first and the last of the three convolutions pass on what they get, the middle one has the kernel, and the
    shortcut is nothing.
    """
    plain, filled = dict(state), dict(network.state_dict())
    for name, _ in find_layers(network):
        kernel, bias = plain.pop(f"{name}.weight"), plain.pop(f"{name}.bias")
        n_out, n_in = kernel.shape[:2]
        first, middle, last = (filled[f"{name}.conv.{i}.weight"].zero_() for i in range(3))
        for zero in ("sk.weight", "sk.bias", "conv.0.bias", "conv.1.bias"):
            filled[f"{name}.{zero}"].zero_()
        first[:n_in, :, 0, 0] = torch.eye(n_in)
        middle[:n_out, :n_in] = kernel
        last[:, :n_out, 0, 0] = torch.eye(n_out)
        filled[f"{name}.conv.2.bias"].copy_(bias)
        filled[f"{name}.eval_conv.weight"].copy_(kernel)
        filled[f"{name}.eval_conv.bias"].copy_(bias)
    return filled | plain
