"""The recipe that everyone starts from, to measure against: super-resolution of fast.ai's lesson 7 (2019).

A U-Net on the enlarged picture, and the feature loss of a vgg16_bn that is run to its end.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
import torchvision
from fastai.callback.hook import hook_outputs
from fastai.layers import NormType
from fastai.vision.learner import create_unet_model
from torch import Tensor, nn
from torchvision.models.vgg import cfgs, make_layers

from common.models.vgg16 import load_vgg_weights
from common.models.weights import IMAGENET_MEAN, IMAGENET_STD
from superres.bicubic import resize_bicubic

WEIGHTS = (5, 15, 2)  # of the ReLUs before the third, fourth and fifth max-pool


def gram(features: Tensor) -> Tensor:
    n, c, h, w = features.shape
    flat = features.reshape(n, c, h * w)
    return flat @ flat.transpose(1, 2) / (c * h * w)


class Normalize(nn.Module):
    """(N, 3, H, W) in [0, 1] -> the same with ImageNet's mean and deviation taken out."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(IMAGENET_STD)[:, None, None])

    def forward(self, image: Tensor) -> Tensor:
        return (image - self.mean) / self.std


class Lesson7Model(nn.Module):
    """(N, 3, h, w) in [0, 1] -> (N, 3, scale h, scale w): fastai's U-Net on a ResNet34, with blur and weight norm.

    crop: pixels of the enlarged training crops. attention: with fastai's self-attention, which the lesson has not.
    """

    def __init__(self, scale: int, crop: int, attention: bool = False) -> None:
        super().__init__()
        self.scale, self.normalize = scale, Normalize()
        self.unet = create_unet_model(
            torchvision.models.resnet34,
            n_out=3,
            img_size=(crop, crop),
            pretrained=False,
            blur=True,
            norm_type=NormType.Weight,
            self_attention=attention,
        )
        self.train()  # DynamicUnet leaves itself in eval mode

    def forward(self, low: Tensor) -> Tensor:
        enlarged = resize_bicubic(low.as_subclass(Tensor), self.scale)
        return self.unet(self.normalize(enlarged)).as_subclass(Tensor)


class FeatureLoss(nn.Module):
    """L1 + sum of w L1(features) + sum of w^2 5e3 L1(Gram / (C H W)), between images (N, 3, H, W) in [0, 1].

    weights: of a plain VGG16, as `common.models.vgg16` reads them. batch_norm: the lesson's vgg16_bn, here with those
    weights and BatchNorms that change nothing: it costs what the trained one costs, and sees what our VGG16 sees.
    target_graph: as in the lesson, no word to autograd that the target's features need no gradient. gram: (N, C, H, W)
    -> (N, C, C).
    """

    def __init__(
        self,
        weights: str,
        batch_norm: bool = True,
        target_graph: bool = True,
        gram: Callable[[Tensor], Tensor] = gram,
    ) -> None:
        super().__init__()
        self.normalize, self.target_graph, self.gram = Normalize(), target_graph, gram
        plain, self.vgg = make_layers(cfgs["D"]), make_layers(cfgs["D"], batch_norm)
        load_vgg_weights(plain, weights, "--vgg")
        convolutions = [[layer for layer in layers if isinstance(layer, nn.Conv2d)] for layers in (plain, self.vgg)]
        for source, copy in zip(*convolutions, strict=True):
            copy.load_state_dict(source.state_dict())
        for norm in self.vgg.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.eps = 0.0
        self.vgg.requires_grad_(False).eval()
        layers = list(self.vgg)
        before_pools = [layers[i - 1] for i, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d)]
        self.hooks = hook_outputs(before_pools[2:], detach=False)

    def features(self, image: Tensor) -> list[Tensor]:
        self.vgg(self.normalize(image))
        return [output.float() for output in self.hooks.stored]

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        with torch.set_grad_enabled(self.target_graph):
            target_features = self.features(target)
        pred_features = self.features(pred)
        with torch.autocast(pred.device.type, enabled=False):
            loss = F.l1_loss(pred, target)
            for weight, x, y in zip(WEIGHTS, pred_features, target_features, strict=True):
                loss = loss + weight * F.l1_loss(x, y) + weight**2 * 5e3 * F.l1_loss(self.gram(x), self.gram(y))
        return loss
