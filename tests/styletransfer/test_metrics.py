import logging

import pytest
import torch

from common.models.vgg16 import VGG16Features
from styletransfer.metrics import MIN_CONTENT_KEPT, content_kept, warn_if_content_lost

pytestmark = pytest.mark.usefixtures("wide")

LAYERS = ["relu1_2", "relu2_2"]


@pytest.fixture(scope="module")
def vgg():
    return VGG16Features(LAYERS, "random")


@pytest.fixture
def photo(picture):
    return torch.from_numpy(picture[:64, :64].copy()).permute(2, 0, 1)[None].float() / 255


def test_a_photo_keeps_all_of_itself(photo, vgg):
    assert content_kept(photo, photo, vgg, LAYERS).tolist() == [1]


def test_what_is_as_near_to_both_keeps_nothing(photo):
    def pixels(image):  # in the place of a VGG16, whose filters are not the same upside down
        return {"relu1_2": image}

    grey = torch.full_like(photo, 0.5)
    both = torch.maximum(photo, photo.flip(-1, -2))  # the same upside down
    kept = content_kept(torch.cat([grey, both]), photo.expand(2, -1, -1, -1), pixels, ["relu1_2"])
    assert kept.abs().max() < 1e-6
    three_quarters = 0.75 * photo + 0.25 * photo.flip(-1, -2)
    assert content_kept(three_quarters, photo, pixels, ["relu1_2"]).item() == pytest.approx(1 - (0.25 / 0.75) ** 2)


def test_a_change_of_all_colours_does_not_count_as_a_loss_but_blending_into_another_photo_does(photo, vgg):
    def kept(pred):
        return content_kept(pred, photo, vgg, LAYERS).item()

    assert kept(0.7 * photo + 0.2) > 0.7
    mixes = [kept((1 - part) * photo + part * photo.flip(-1, -2)) for part in (0.2, 0.35, 0.5)]
    assert 1 > mixes[0] > mixes[1] > mixes[2] > -0.1
    assert mixes[2] < 0.1


@pytest.mark.parametrize(("kept", "warned"), [(MIN_CONTENT_KEPT - 0.01, True), (MIN_CONTENT_KEPT + 0.01, False)])
def test_the_warning_names_the_figure_and_what_to_do(caplog, kept, warned):
    with caplog.at_level(logging.WARNING):
        warn_if_content_lost(kept)
    assert ("Lower loss.gram.weight" in caplog.text) == warned
    assert (f"{kept:.2f}" in caplog.text) == warned
