"""How much of a photo is left in its painted version."""

import logging
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from common.losses.loss import PerceptualLoss

log = logging.getLogger(__name__)

# Of content_kept. In short trainings results with no more of a photo than outlines had 0.02 to 0.17,
# recognisable ones 0.23 to 0.63.
MIN_CONTENT_KEPT = 0.2


def content_kept(pred: Tensor, photo: Tensor, vgg: nn.Module, layers: Iterable[str]) -> Tensor:
    """(N,) how much nearer `pred` is to its photo than to that photo turned upside down: 1 the photo, 0 no nearer.

    Nearer in squared error of VGG16 activations, averaged over `layers`. What a style does to a whole picture moves it
    away from both and does not count; a picture that does not show which way up its photo was has 0.
    pred, photo: (N, 3, H, W) in [0, 1].
    """
    pred, photo = (image.as_subclass(Tensor).float() for image in (pred, photo))
    result, upright, turned = vgg(pred), vgg(photo), vgg(photo.flip(-1, -2))
    kept = []
    for layer in layers:
        near, far = ((result[layer] - other[layer]).square().flatten(1).mean(dim=1) for other in (upright, turned))
        kept.append(1 - near / far.clamp_min(1e-12))
    return torch.stack(kept).mean(dim=0)


def content_kept_metric(loss: PerceptualLoss) -> Callable[..., Tensor]:
    """`content_kept` in the layers that hold the content of a loss (those of its style, if it has no content term).

    It takes what the loss takes: with several styles their mix, too, which does not matter.
    """
    config = loss.config
    term = config.features or config.gram or config.statistics or config.sliced
    name = next((name for name, each in config.network_terms().items() if each is term), None)
    if name is None or term is None:
        raise ValueError("content_kept needs a loss with a term of activations")
    network = loss.network(name)

    def content_kept_of_batch(pred: Tensor, photo: Tensor, mix: Tensor | None = None) -> Tensor:
        return content_kept(pred, photo, network, list(term.layers))

    content_kept_of_batch.__name__ = "content_kept"  # a column of history.csv
    return content_kept_of_batch


def warn_if_content_lost(kept: float, what: str = "the results") -> None:
    """A warning if the results, on average, keep too little of their photos."""
    if kept < MIN_CONTENT_KEPT:
        log.warning(
            "WARNING: hardly anything of the photos is left: %s are hardly nearer to their own photo than to "
            "the same photo turned upside down (content kept %.2f, below %.2f). Lower loss.gram.weight or raise "
            "loss.features.weight",
            what,
            kept,
            MIN_CONTENT_KEPT,
        )
