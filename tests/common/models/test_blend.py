from pathlib import Path

import pytest
import torch
from torch import nn

from common.models.blend import blend
from common.runtime.errors import UserError
from styletransfer.network import Stylizer
from superres.network import SuperResolver
from superres.srcnn import SRCNN


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


MODELS = {
    "superres": lambda: SuperResolver(Small(1.0), 2, "before"),
    "styletransfer": lambda: Stylizer(Small(1.0), residual=True, styles=["wave", "night"]),
}


@pytest.mark.parametrize(
    ("task", "name", "own", "its"),
    [
        ("superres", "scale", 2, 4),
        ("superres", "upsample", "before", "after"),
        ("superres", "residual", True, False),
        ("styletransfer", "residual", True, False),
        ("styletransfer", "styles", ["wave", "night"], ["night", "wave"]),
    ],
)
def test_models_whose_weights_are_for_different_things_are_refused(task, name, own, its):
    model, other = MODELS[task](), MODELS[task]()
    blend(model, other, 0.5, Path("other"))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    setattr(other, name, its)
    nn.init.zeros_(next(other.parameters()))
    with pytest.raises(UserError) as error:
        blend(model, other, 0.5, Path("other"))
    assert f"--blend other: its {name} is {its}, MODEL's is {own}, so" in str(error.value)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_a_layer_without_weights_that_the_other_lacks_is_told():
    model, other = (nn.Sequential(nn.Conv2d(3, 3, 1), *more) for more in ([nn.AvgPool2d(2)], []))
    with pytest.raises(UserError, match="1 differ, such as 1"):
        blend(model, other, 0.5, Path("other"))


def test_models_of_tasks_that_differ_so_are_refused():
    networks = [SuperResolver(SRCNN(), scale, upsample="before") for scale in (2, 4)]
    with pytest.raises(UserError, match="its scale is 4, MODEL's is 2"):
        blend(*networks, 0.5, Path("other"))


def test_models_of_two_shapes_are_refused():
    with pytest.raises(UserError, match=r"--blend other: not of the same shape.* 1 differ, such as layer.weight"):
        blend(Small(1.0), Small(1.0, width=3), 0.5, Path("other"))
    with pytest.raises(UserError, match="not of the same shape"):
        blend(Small(1.0), nn.Linear(2, 1), 0.5, Path("other"))
