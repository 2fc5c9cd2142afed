"""The loss of style transfer: what a photo shows, in the Gram matrices of a picture that it does not show."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from common.config.sections import LossConfig
from common.losses.loss import PerceptualLoss
from common.losses.perceptual import add_up, gram_matrices


class StyleLoss(PerceptualLoss):
    """A PerceptualLoss towards the Gram matrices of styles, (1, 3, H, W) each, computed once, not of the target.

    With several styles a call says which is whose: mix, (N, styles). In train mode each then pulls alike on average,
    however strong its Gram matrices are; in eval mode, which is for measuring, as its matrices say.
    """

    def __init__(self, config: LossConfig, *styles: Tensor) -> None:
        super().__init__(config)
        self.style_grams = nn.ParameterDict()  # (styles, C, C) a layer; so that they move to the device with the loss
        if config.gram is None or self.vgg is None:
            return
        with torch.no_grad():
            grams = [gram_matrices(self.vgg(style), config.gram.layers) for style in styles]
        for name in config.gram.layers:
            together = torch.cat([matrices[name] for matrices in grams])
            self.style_grams[name] = nn.Parameter(together, requires_grad=False)

    def target_grams(self, target_features: Mapping[str, Tensor], *extra: Tensor) -> Mapping[str, Tensor]:
        """{layer: (N, C, C)}, each picture's style; (1, C, C) if there is but one."""
        grams: dict[str, Tensor] = dict(self.style_grams.items())
        if not extra:
            return grams
        mix = extra[0].as_subclass(Tensor).float()
        return {name: torch.einsum("ns,scd->ncd", mix, gram) for name, gram in grams.items()}

    def parts(self, *extra: Tensor) -> Tensor | float:
        """(N,) what each picture counts: inversely to its style's distance from nothing, and 1 on average of styles.

        Relative distances pull alike by themselves.
        """
        gram = self.config.gram
        if not extra or not self.training or gram is None or gram.distance == "relative":
            return 1.0
        grams = dict(self.style_grams.items())
        sizes = add_up(
            weight * (grams[name].abs() if gram.distance == "l1" else grams[name].square()).mean(dim=(1, 2))
            for name, weight in gram.layers.items()
        )
        return extra[0].as_subclass(Tensor).float() @ (sizes.reciprocal() / sizes.reciprocal().mean())
