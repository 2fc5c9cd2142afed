"""A fair contest: which variants were trained on what measures them, through the same network or by the same distance.

What a loss looks through can be pleased without pleasing the eye, so such a metric ranks nobody. This is about networks
alone: that a loss of pixels favours PSNR is plain from its name.
"""

from collections.abc import Iterable, Mapping

from common.config.losses import LossConfig
from common.runs.folder import absolute_weights_path

MARK = "trained on it"


def find_trained_on(metrics: Iterable[str], losses: Mapping[str, LossConfig], vgg: str | None) -> dict[str, list[str]]:
    """{metric: the variants that were trained on it}, of those metrics that some were.

    losses: {variant: its loss}. vgg: the weights of the VGG16 that measures.
    """
    found = {metric: [name for name, loss in losses.items() if is_trained_on(loss, metric, vgg)] for metric in metrics}
    return {metric: names for metric, names in found.items() if names}


def is_trained_on(loss: LossConfig, metric: str, vgg: str | None) -> bool:
    """Whether a loss has the distance as a term, or one that looks through its network."""
    terms, networks = loss.active_terms(), networks_of(loss)
    if metric.startswith("LPIPS"):
        backbones = {"squeezenet", "squeezenet1_1"} if metric == "LPIPS-squeeze" else {"alexnet"}
        return "lpips" in terms or any(net in backbones for net, _ in networks)
    if metric.startswith("DISTS") and "dists" in terms:
        return True
    through_vgg16 = "VGG" in metric or metric.startswith("DISTS")
    return through_vgg16 and ("vgg16", absolute_weights_path(vgg)) in networks


def networks_of(loss: LossConfig) -> set[tuple[str, str | None]]:
    """{(network, its weights)} that the terms of a loss look through, but for LPIPS's own."""
    networks = {(term.net, loss.weights_of(term)) for term in loss.network_terms().values()}
    if "dists" in loss.active_terms():
        networks.add(("vgg16", loss.vgg))
    return {(net, absolute_weights_path(weights)) for net, weights in networks}


def describe_trained_on(trained_on: Mapping[str, list[str]]) -> list[str]:
    """A line for each metric."""
    return [
        f"{metric}: {', '.join(names)} {'was' if len(names) == 1 else 'were'} trained on it or through its network, "
        "which favours such variants, so none is marked as the best by it."
        for metric, names in trained_on.items()
    ]
