"""SRCNN (Dong et al. 2014, arXiv 1501.00092), the first network for super-resolution, to compare with."""

from torch import Tensor, nn


class SRCNN(nn.Module):
    """(N, 3, H, W), enlarged bicubically -> (N, 3, H, W), what to add to it: 64 filters of 9 x 9, 32 of 1 x 1, 5 x 5.

    The paper's network makes the picture itself, and first has to learn what bicubic has already; it sees luma, this
    one RGB. Edges are repeated outwards, so that no border is lost.
    """

    def __init__(self) -> None:
        super().__init__()
        last = nn.Conv2d(32, 3, kernel_size=5, padding=2, padding_mode="replicate")
        self.layers = nn.Sequential(
            nn.Conv2d(3, 64, kernel_size=9, padding=4, padding_mode="replicate"),
            nn.ReLU(inplace=True),
            nn.Conv2d(64, 32, kernel_size=1),
            nn.ReLU(inplace=True),
            last,
        )
        for parameter in last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, enlarged: Tensor) -> Tensor:
        return self.layers(enlarged)
