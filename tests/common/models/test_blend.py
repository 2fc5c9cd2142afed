from pathlib import Path

import pytest
import torch
from torch import nn

from common.models.blend import blend
from common.runtime.errors import UserError


class Small(nn.Module):
    def __init__(self, value, width=2):
        super().__init__()
        self.layer = nn.Linear(width, 1)
        nn.init.constant_(self.layer.weight, value)
        nn.init.constant_(self.layer.bias, 10 * value)
        self.register_buffer("count", torch.tensor(int(value)))


@pytest.mark.parametrize(("part", "weight"), [(0, 1.0), (0.25, 1.5), (1, 3.0)])
def test_weights_are_mixed_and_counts_are_not(part, weight):
    model = Small(1.0)
    blend(model, Small(3.0), part, Path("other"))
    assert model.layer.weight.tolist() == [[weight, weight]]
    assert model.layer.bias.item() == 10 * weight
    assert model.count.item() == 1


def test_models_of_two_shapes_are_refused():
    with pytest.raises(UserError, match=r"--blend other: not of the same shape.* 1 differ, such as layer.weight"):
        blend(Small(1.0), Small(1.0, width=3), 0.5, Path("other"))
    with pytest.raises(UserError, match="not of the same shape"):
        blend(Small(1.0), nn.Linear(2, 1), 0.5, Path("other"))
