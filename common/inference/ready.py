"""A trained model made ready to be run: on its device, in its precision, without what only training needs."""

import sys
from functools import partial
from itertools import pairwise
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils import fuse_conv_bn_eval

from common.inference.precision import Half, forward_in_precision
from common.inference.trial import try_bf16
from common.runtime import accelerator
from common.runtime.precision import choose_precision, precisions_of

Model = TypeVar("Model", bound=nn.Module)


def ready(model: Model, device: torch.device, precision: str = "auto") -> Model:
    """The model, changed in place: in eval mode, on the device, each BatchNorm fused into the convolution before it.

    precision: 'fp32', 'fp16' or 'bf16'; 'auto' is fp16 on CUDA, bf16 on a CPU where `common.inference.trial` finds that
    it is good, and else fp32. In half precision the network runs in autocast; what it is given and returns stays
    float32, and so do its weights. Raises UserError if it does not work in the precision.
    """
    accelerator.prepare_for_photos()
    model = relu_in_place(fuse_batch_norms(model.eval())).to(device).to(memory_format=torch.channels_last)
    chosen = precision != "auto"
    precision = choose_precision(precision, device, model, "--precision")
    if precision != "fp32":
        vars(model)["half"] = Half(precision, chosen, device.type)
        model.forward = partial(forward_in_precision, model, model.forward)
    elif not chosen and device.type == "cpu" and torch.bfloat16 in precisions_of(model):
        try_bf16(model)
    return model


def fuse_batch_norms(model: Model) -> Model:
    """Fuses each BatchNorm, which in eval mode only scales and shifts, into the convolution before it, in place."""
    resnet = sys.modules.get("torchvision.models.resnet")  # whoever has such a block has imported it
    blocks = (resnet.BasicBlock, resnet.Bottleneck) if resnet else ()
    for module in list(model.modules()):
        if isinstance(module, nn.Sequential):
            pairs = list(pairwise(module._modules))
        elif isinstance(module, blocks):
            pairs = [(f"conv{i}", f"bn{i}") for i in (1, 2, 3) if hasattr(module, f"conv{i}")]
        else:
            continue
        for conv_name, norm_name in pairs:
            conv, norm = getattr(module, conv_name), getattr(module, norm_name)
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, conv_name, fuse_conv_bn_eval(conv, norm))
                setattr(module, norm_name, nn.Identity())
    return model


def relu_in_place(model: Model) -> Model:
    """Lets each ReLU of a sequence overwrite what the layer before it returns, which nothing else reads; in place."""
    for module in list(model.modules()):
        if isinstance(module, nn.Sequential):
            for layer in list(module)[1:]:
                if isinstance(layer, nn.ReLU):
                    layer.inplace = True
    return model
