import pytest
import torch

from common.config.losses import LossConfig
from common.runtime.errors import TrainingDiverged
from styletransfer.gatys import optimize
from styletransfer.loss import StyleLoss

pytestmark = pytest.mark.usefixtures("wide")

LAYERS = {"relu1_1": 1.0, "relu1_2": 1.0}


def get_loss(*styles, **terms):
    return StyleLoss(LossConfig.model_validate({"vgg": "random", **terms}), *styles)


def test_content_alone_gives_the_photo_back(noise):
    photo = 0.2 + 0.6 * noise[:1, :, :32, :32]
    loss = get_loss(mse=1, features={"weight": 1, "distance": "relative", "layers": LAYERS})
    stops = list(optimize(photo, loss, [5, 60]))
    assert [iteration for iteration, *_ in stops] == [5, 60]
    (_, early, _, _), (_, late, losses, seconds) = stops
    assert (late - photo).abs().mean() < 0.01 < (early - photo).abs().mean()
    assert len(losses) == 61  # with the start
    assert losses[-1] < 1e-3 * losses[0]
    assert seconds > 0


def test_style_alone_gives_the_grams_of_the_style(noise):
    style, photo = noise[:1, :, :32, :32] ** 3, torch.full((1, 3, 32, 32), 0.6)
    loss = get_loss(style, gram={"weight": 1, "distance": "relative", "layers": LAYERS})
    ((_, picture, losses, _),) = optimize(photo, loss, [40], start="photo")
    assert losses[-1] < 0.01 * losses[0]
    assert picture.min() >= 0 and picture.max() <= 1
    assert abs(picture.mean() - style.mean()) < 0.1 < abs(photo.mean() - style.mean())


def test_a_stop_between_changes_little(noise):
    photo, style = noise[:1, :, :32, :32], noise[1:, :, :32, :32].sqrt()
    terms = {"features": {"weight": 1, "layers": LAYERS}, "gram": {"weight": 9, "layers": LAYERS}}
    (*_, (_, _, stopped, _)) = optimize(photo, get_loss(style, **terms), [10, 20, 30])
    ((_, _, straight, _),) = optimize(photo, get_loss(style, **terms), [30])
    assert stopped[-1] == pytest.approx(straight[-1], rel=0.1)


def test_a_loss_that_is_not_finite_ends_it(noise):
    class Infinite(torch.nn.Module):
        def remember(self, photo):
            pass

        def forward(self, pred, photo):
            return pred.sum() * float("inf")

    with pytest.raises(TrainingDiverged, match="the loss is inf in iteration 0"):
        list(optimize(noise[:1], Infinite(), [3]))


def test_sliced_distances_of_a_remembered_target_are_of_one_function(noise):
    loss = StyleLoss(
        LossConfig.model_validate({"vgg": "random", "sliced": {"weight": 1, "layers": {"relu1_2": 1}}}), noise[:1]
    )
    picture = noise[1:].clone()
    assert loss(picture, picture) != loss(picture, picture)  # others each time
    loss.remember(picture)
    assert loss(picture, picture) == loss(picture, picture)
