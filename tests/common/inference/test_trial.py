"""A CPU's precision, chosen on the first photo."""

import logging

import numpy as np
import pytest
import torch
from torch import nn

from common.inference.precision import half_of, with_bits
from common.inference.ready import ready
from common.inference.tiles import enhance
from common.inference.trial import SIDE
from tests.trials import trials_that_find

CPU = torch.device("cpu")


class Same(nn.Module):
    """The photo; in bf16 with `error` of 255 added. Notes the sides that it was given, and in which precision."""

    def __init__(self, error=0.0):
        super().__init__()
        self.error, self.seen = error, []

    def forward(self, photo):
        in_bf16 = torch.is_autocast_enabled("cpu")
        self.seen.append((tuple(photo.shape[-2:]), in_bf16))
        return photo + in_bf16 * self.error / 255


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 200, (SIDE + 40, SIDE + 20, 3), np.uint8)


@pytest.mark.parametrize(
    ("speed", "error", "taken"), [(1.5, 0, True), (1.5, 1, True), (1.5, 2, False), (1.1, 0, False)]
)
def test_bf16_is_taken_where_it_is_faster_and_nearly_the_same(photo, caplog, speed, error, taken):
    caplog.set_level(logging.INFO)
    model = ready(Same(error), CPU)
    with trials_that_find(speed):
        result = enhance(model, photo)
    assert (half_of(model) is not None) == taken
    assert np.array_equal(result, photo + error * taken)
    sides = (SIDE + 40, SIDE + 20)
    assert model.seen[-1] == (sides, taken)
    assert all(seen[0] == (SIDE, SIDE) for seen in model.seen[:-1])
    enhance(model, photo)
    assert model.seen[-2:] == [(sides, taken)] * 2  # no second trial
    said = f"bf16 is 1.5 times as fast here, and in a part of the photo off by {error} of 255 at most: taken"
    assert (said in caplog.text) == taken


def test_a_precision_that_was_asked_for_is_not_tried(photo):
    with trials_that_find(9.0):
        for asked, in_bf16 in (("fp32", False), ("bf16", True)):
            model = ready(Same(), CPU, asked)
            enhance(model, photo)
            assert model.seen == [(photo.shape[:2], in_bf16)]


def test_small_photos_and_deep_ones_are_left_to_fp32(photo):
    model = ready(Same(2.0), CPU)
    with trials_that_find(9.0):
        enhance(model, photo[: SIDE - 1])
        enhance(model, photo.astype(np.uint16) * 257)
    assert [in_bf16 for _, in_bf16 in model.seen] == [False, False]
    with trials_that_find(9.0):
        ready(model.__class__(), CPU)
        enhance(model, photo)  # now there is one that decides
    assert len(model.seen) > 3


def test_a_black_frame_decides_nothing_nor_does_a_deep_one(photo):
    model = ready(Same(2.0), CPU)
    with trials_that_find(9.0):
        enhance(model, np.zeros_like(photo))
        with with_bits(10):
            enhance(model, photo.astype(np.uint16) * 257)
        assert [in_bf16 for _, in_bf16 in model.seen] == [False, False]
        enhance(model, photo)
    assert half_of(model) is None
    assert len(model.seen) > 3


def test_a_model_that_is_told_to_do_less_decides_nothing(photo):
    model = ready(Same(error=9), CPU)
    with trials_that_find(9.0):
        model.is_held_back = True
        enhance(model, photo)
        assert model.seen == [((SIDE + 40, SIDE + 20), False)]
        model.is_held_back = False
        enhance(model, photo)
    assert len(model.seen) > 2
    assert half_of(model) is None
