"""What the loss network sees in a picture, and where it sees that two differ: the articles' heat maps."""

import io
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from common.losses.perceptual import DISTANCES, gram_matrix
from common.models.vgg16 import VGG16Features

CELL = 1.9  # inches a column of a figure
GRAM_SIDE = 128  # channels of a Gram matrix that are drawn, at most: the strongest


@torch.no_grad()
def draw_activations(photo: Tensor, vgg: VGG16Features, n_channels: int = 5) -> Image.Image:
    """A row a layer of `vgg`: the mean over all channels, and those with the highest mean, as heat over the photo.

    photo: (1, 3, H, W) in [0, 1]. Each heat map has its own scale, from nothing to its highest activation.
    """
    features = vgg(photo)
    names = sorted(features)
    figure, axes = make_figure(len(names), 1 + n_channels, photo)
    for row, name in zip(axes, names, strict=True):
        activation = features[name][0]
        strongest = activation.mean(dim=(1, 2)).topk(min(n_channels, len(activation))).indices.tolist()
        show_heat(row[0], photo, activation.mean(dim=0), f"{name}, mean of {len(activation)}")
        for axis, channel in zip(row[1:], strongest, strict=False):
            show_heat(axis, photo, activation[channel], f"channel {channel}")
    return to_picture(figure)


@torch.no_grad()
def draw_differences(
    pictures: Sequence[tuple[str, Tensor]],
    vgg: VGG16Features,
    distance: str = "l1",
    gram_of: tuple[str, Tensor] | None = None,
) -> Image.Image:
    """A row a layer of `vgg`, for two pictures [(name, (1, 3, H, W) in [0, 1])] of one size: target and prediction.

    Their activations (mean over channels, on one scale), where they differ as the feature loss counts it (mean over
    channels of the absolute difference, or of the squared one), and their Gram matrices with the difference between
    them, each on the first one's scale. gram_of: the picture whose Gram matrix takes the place of the first one's, as a
    style's does. Above them stands what a term of weight 1 adds to the loss. distance: of `perceptual.DISTANCES`.
    """
    (first, target), (second, pred) = pictures
    measure = DISTANCES[distance]
    gram_name, gram_picture = gram_of or (first, target)
    ours, theirs, styles = vgg(pred), vgg(target), vgg(gram_picture)
    names = sorted(ours)
    figure, axes = make_figure(len(names), 6, target)
    for row, name in zip(axes, names, strict=True):
        a, b = theirs[name][0], ours[name][0]
        highest = max(a.mean(dim=0).max().item(), b.mean(dim=0).max().item())
        show_heat(row[0], target, a.mean(dim=0), f"{name}: {first}", highest)
        show_heat(row[1], pred, b.mean(dim=0), second, highest)
        apart = (a - b).abs().mean(dim=0) if distance == "l1" else (a - b).square().mean(dim=0)
        show_heat(row[2], target, apart, f"features differ by {measure(b[None], a[None]).mean().item():.3g}")
        style, gram = gram_matrix(styles[name]), gram_matrix(ours[name])
        strongest = style[0].diagonal().topk(min(GRAM_SIDE, style.shape[-1])).indices
        shown = [matrix[0][strongest][:, strongest].sqrt() for matrix in (style, gram, (style - gram).abs())]
        highest = shown[0].quantile(0.995).item()  # few entries are far above the rest
        titles = (f"Gram: {gram_name}", second, f"Grams differ by {measure(gram, style).mean().item():.3g}")
        for axis, matrix, title in zip(row[3:], shown, titles, strict=True):
            axis.imshow(matrix.cpu().numpy(), cmap="magma", vmin=0, vmax=highest)
            axis.set_title(title, fontsize=8)
    return to_picture(figure)


def make_figure(rows: int, columns: int, photo: Tensor) -> tuple[Figure, np.ndarray]:
    """A figure of (rows, columns) axes without ticks, whose cells have the photo's form."""
    height = CELL * min(1.6, max(0.5, photo.shape[-2] / photo.shape[-1])) + 0.25
    figure = Figure(figsize=(CELL * columns, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    return figure, axes


def show_heat(axis: Axes, photo: Tensor, heat: Tensor, title: str, highest: float | None = None) -> None:
    """Draws (h, w) as colours over the grey photo: the stronger, the less of it is seen. highest: of the scale."""
    size = photo.shape[-2:]
    heat = torch.nn.functional.interpolate(heat[None, None], size=size, mode="bilinear")[0, 0].cpu()
    heat = (heat / max(highest or heat.max().item(), 1e-12)).clamp(0, 1)
    grey = photo[0].mean(dim=0).cpu().numpy()[..., None]
    colors = mpl.colormaps["inferno"](heat.numpy())[..., :3]
    opacity = 0.25 + 0.75 * heat.numpy()[..., None]
    axis.imshow(opacity * colors + (1 - opacity) * grey)
    axis.set_title(title, fontsize=8)


def to_picture(figure: Figure) -> Image.Image:
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110, format="png", facecolor="white")
    return Image.open(buffer).convert("RGB")
