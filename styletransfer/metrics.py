"""How much of a photo is left in its painted version."""

import logging
from functools import partial

import torch

log = logging.getLogger(__name__)

# Of content_kept. In short trainings results with no more of a photo than outlines had 0.02 to 0.17,
# recognisable ones 0.23 to 0.63.
MIN_CONTENT_KEPT = 0.2


def content_kept(pred, photo, vgg, layers):
    """(N,) how much nearer `pred` is to its photo than to that photo turned upside down: 1 the photo, 0 no nearer.

    Nearer in squared error of VGG16 activations, averaged over `layers`. What a style does to a whole picture moves it
    away from both and does not count; a picture of which one cannot say which way up its photo was has 0.
    vgg: `common.models.vgg16.VGG16Features`. pred, photo: (N, 3, H, W) in [0, 1].
    """
    pred, photo = (image.as_subclass(torch.Tensor).float() for image in (pred, photo))
    result, upright, turned = vgg(pred), vgg(photo), vgg(photo.flip(-1, -2))
    kept = 0
    for layer in layers:
        near, far = ((result[layer] - other[layer]).square().flatten(1).mean(dim=1) for other in (upright, turned))
        kept = kept + (1 - near / far.clamp_min(1e-12)) / len(layers)
    return kept


def content_kept_metric(loss):
    """`content_kept` in the layers that hold the content of a `common.losses.PerceptualLoss` (without: the style's)."""
    return partial(content_kept, vgg=loss.vgg, layers=(loss.config.features or loss.config.gram).layers)


def warn_if_content_lost(kept):
    """A warning if the results, on average, keep too little of their photos."""
    if kept < MIN_CONTENT_KEPT:
        log.warning(
            "WARNING: the style has drowned the photos: the results are hardly nearer to their own photo than to the "
            "same photo turned upside down (content kept %.2f, below %.2f). Lower loss.gram.weight or raise "
            "loss.features.weight",
            kept,
            MIN_CONTENT_KEPT,
        )
