from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from common.inference.tile_layout import smallest_tile, tile_starts
from common.inference.tiles import enhance, tile_weights


class Nearest(nn.Module):
    """Repeats each pixel `scale` times; remembers the sizes it was given."""

    def __init__(self, scale=1):
        super().__init__()
        self.scale, self.sizes = scale, []
        self.anchor = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        self.sizes.append(tuple(x.shape[-2:]))
        return x.repeat_interleave(self.scale, dim=2).repeat_interleave(self.scale, dim=3)


class Offset(Nearest):
    """Adds to each tile a brightness of its own, the worst a network that sees the whole tile could do."""

    def forward(self, x):
        return super().forward(x) * 0 + 0.25 + 0.1 * (len(self.sizes) % 2)


@pytest.mark.parametrize("length", [1, 99, 100, 101, 130, 777])
def test_tiles_cover_everything_and_share_the_overlap(length):
    starts = tile_starts(length, tile=100, overlap=20)
    assert starts[0] == 0
    assert max(starts) + 100 >= length if length > 100 else starts == [0]
    assert length <= 100 or starts[-1] + 100 == length
    assert all(a + 100 - b >= 20 for a, b in pairwise(starts))


@pytest.mark.parametrize("length", [50, 100, 101, 130, 777, 1003])
def test_tiles_on_a_grid_cover_the_photo_too(length):
    starts = tile_starts(length, tile=100, overlap=20, grid=32)
    assert starts[0] == 0
    assert all(start % 32 == 0 for start in starts)
    assert starts[-1] + 100 >= length
    assert starts[-1] < length
    assert all(a + 100 - b >= 20 for a, b in pairwise(starts))


def test_tiles_are_no_larger_than_it_takes():
    assert smallest_tile(2048, tile=512, overlap=32) == 448  # 5 of them: (2048 - 32) / 5 + 32 = 435.2
    assert smallest_tile(2048, tile=512, overlap=32, grid=4) == 448
    assert smallest_tile(512, tile=512, overlap=32) == 512
    assert smallest_tile(513, tile=512, overlap=32) == 288  # 2: 481 / 2 + 32 = 272.5
    assert smallest_tile(90, tile=512, overlap=32) == 96


@pytest.mark.parametrize("grid", [1, 4, 32])
@pytest.mark.parametrize("length", [50, 101, 300, 777, 1003])
def test_fitting_tiles_are_as_many_as_the_larger_ones(length, grid):
    fitting = smallest_tile(length, tile=200, overlap=20, grid=grid)
    assert fitting <= 200
    starts = tile_starts(length, fitting, 20, grid)
    assert len(starts) <= len(tile_starts(length, 200, 20, grid))
    assert all(a + fitting - b >= 20 for a, b in pairwise(starts))


@pytest.mark.parametrize("grid", [1, 32])
@pytest.mark.parametrize("length", [50, 100, 101, 130, 777])
def test_weights_of_overlapping_tiles_add_up_to_one(length, grid):
    starts = tile_starts(length, tile=100, overlap=20, grid=grid)
    total = torch.zeros(length)
    for start, weights in zip(starts, tile_weights(starts, 100, length), strict=True):
        assert (weights >= 0).all()
        total[start : start + 100] += weights
    torch.testing.assert_close(total, torch.ones(length))


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("size", [(1, 1), (40, 3), (33, 70), (70, 90), (97, 64)])
def test_tiles_put_together_are_the_whole(size, scale):
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    result = enhance(Nearest(scale), photo, scale, tile=32 * scale, overlap=8)
    assert np.array_equal(result, photo.repeat(scale, axis=0).repeat(scale, axis=1))


def test_a_photo_within_one_tile_goes_through_in_one_piece(picture):
    model = Nearest()
    enhance(model, picture, tile=90)
    assert model.sizes == [(70, 90)]


def test_no_pass_is_larger_than_a_tile(picture):
    model = Nearest()
    enhance(model, picture, tile=40, overlap=10)
    assert set(model.sizes) == {(40, 40)}


def test_a_tile_is_measured_in_pixels_of_the_result_and_is_never_tiny(picture):
    for tile, expected in ((128, 64), (8, 30)):
        model = Nearest(scale=2)
        enhance(model, picture, scale=2, tile=tile, overlap=10)
        assert set(model.sizes) == {(expected, expected)}


def test_even_tiles_of_different_brightness_meet_without_a_seam():
    photo = np.zeros((100, 1000, 3), np.uint8)
    result = enhance(Offset(), photo, tile=128, overlap=32).astype(int)
    assert result.max() - result.min() >= 24  # the tiles do differ
    assert abs(np.diff(result, axis=1)).max() <= 1 + 25 / 32  # but neighbouring pixels by no more than the ramp


def test_results_are_rounded_and_clamped():
    class Bright(Nearest):
        def forward(self, x):
            return torch.full_like(x, 0.5) + torch.linspace(-1, 1, x.shape[-1])

    result = enhance(Bright(), np.zeros((1, 5, 3), np.uint8))
    assert result[0, :, 0].tolist() == [0, 0, 128, 255, 255]


class Small(Nearest):
    """Has memory for tiles of at most `limit` pixels a side."""

    def __init__(self, limit, error):
        super().__init__(scale=2)
        self.limit, self.error = limit, error

    def forward(self, x):
        if max(x.shape) > self.limit:
            raise self.error
        return super().forward(x)


CPU_IS_FULL = RuntimeError("[enforce fail] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), CPU_IS_FULL])
def test_where_memory_runs_out_tiles_are_halved_until_they_fit(picture, error, caplog):
    model = Small(limit=40, error=error)
    result = enhance(model, picture, scale=2, tile=400, overlap=4)
    assert np.array_equal(result, picture.repeat(2, axis=0).repeat(2, axis=1))
    assert set(model.sizes) == {(22, 22)}  # of 90, 45 and 22 pixels before they are enlarged
    assert caplog.messages == [
        "not enough memory for tiles of 180 pixels: continuing with tiles of 90 pixels (--tile)",
        "not enough memory for tiles of 90 pixels: continuing with tiles of 45 pixels (--tile)",
    ]


def test_a_photo_for_which_no_tile_is_small_enough_is_refused(picture):
    with pytest.raises(MemoryError, match="not enough memory for tiles of 24 pixels"):
        enhance(Small(limit=5, error=CPU_IS_FULL), picture, scale=2, overlap=4)
    with pytest.raises(RuntimeError, match="a bug"):
        enhance(Small(limit=5, error=RuntimeError("a bug")), picture)


def test_16_bits_stay_16_bits():
    photo = np.random.default_rng(0).integers(0, 65536, (70, 90, 3)).astype(np.uint16)
    assert np.array_equal(enhance(Nearest(), photo, tile=48, overlap=4), photo)
    assert np.array_equal(enhance(Nearest(2), photo, scale=2), photo.repeat(2, axis=0).repeat(2, axis=1))


def test_what_takes_minutes_is_told_after_the_first_row(caplog, monkeypatch):
    clock = iter([0.0, 40.0])  # the first row's end, then nobody asks again
    monkeypatch.setattr("common.inference.tiles.time.monotonic", lambda: next(clock))
    caplog.set_level("INFO")
    enhance(nn.Identity(), np.zeros((2000, 1000, 3), np.uint8), tile=512)
    assert caplog.messages == ["1000 x 2000 px: 15 tiles, about 3 minutes"]


@pytest.mark.parametrize("tile", [64, 128, 320])
def test_tiles_of_a_coarse_grid_have_room_to_move_on(tile):
    photo = np.random.default_rng(0).integers(0, 256, (200, 450, 3), np.uint8)
    model = Nearest(scale=2)
    result = enhance(model, photo, scale=2, tile=tile, grid=128)
    assert np.array_equal(result, photo.repeat(2, axis=0).repeat(2, axis=1))
    assert max(map(max, model.sizes)) == 160  # an overlap of 32, and the grid


def test_where_memory_runs_out_on_a_coarse_grid_tiles_are_halved_to_its_limit(caplog):
    model = Small(limit=160, error=CPU_IS_FULL)
    photo = np.random.default_rng(0).integers(0, 256, (200, 450, 3), np.uint8)
    result = enhance(model, photo, scale=2, grid=128)
    assert np.array_equal(result, photo.repeat(2, axis=0).repeat(2, axis=1))
    assert [message.rpartition("with ")[2] for message in caplog.messages] == [
        f"tiles of {side} pixels (--tile)" for side in (450, 320)
    ]
