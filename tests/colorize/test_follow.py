"""Hints that move along with a video."""

import numpy as np
import pytest

from colorize.follow import FollowedHints, follow, move_hints
from colorize.hints import Hint, to_hints
from common.runtime.errors import UserError
from common.videos.motion import lightness

HEIGHT, WIDTH, SIDE = 120, 200, 48


def texture(seed, height, width):
    """(height, width, 3) uint8 with things of some 8 px, for flow to hold on to."""
    coarse = np.random.default_rng(seed).integers(30, 226, (height // 8 + 1, width // 8 + 1))
    return np.kron(coarse, np.ones((8, 8)))[:height, :width, None].repeat(3, 2).astype(np.uint8)


BACKGROUND, THING = texture(0, HEIGHT, WIDTH), texture(1, SIDE, SIDE)


def frame(left, top=30):
    """A thing on a background that stands still."""
    picture = BACKGROUND.copy()
    picture[top : top + SIDE, left : left + SIDE] = THING
    return picture


def told(hints, frames):
    """The hints that each frame is coloured with."""
    seen = []
    run = FollowedHints(lambda photo, hints: seen.append(hints) or photo, hints)
    for each in frames:
        run(each)
    return seen


def test_a_hint_follows_what_moves_and_stays_on_what_does_not():
    hints = [Hint(34, 54, "#ff0000"), Hint(180, 100, "#00ff00")]
    for number, here in enumerate(told(hints, [frame(10 + 3 * i, 30 + i) for i in range(20)])):
        thing, still = here
        assert (thing.x, thing.y) == pytest.approx((34 + 3 * number, 54 + number), abs=1.5)
        assert (still.x, still.y) == pytest.approx((180, 100), abs=0.5)
        assert (thing.color, still.color) == ("#ff0000", "#00ff00")


def test_a_hint_ends_at_a_cut_and_one_of_a_later_frame_begins_there():
    other = texture(7, HEIGHT, WIDTH)
    hints = [Hint(34, 54, "#ff0000"), Hint(20, 20, "#0000ff", frame=3)]
    seen = told(hints, [frame(10), frame(12), other, other, other])
    assert [None if here is None else [hint.color for hint in here] for here in seen] == [
        ["#ff0000"], ["#ff0000"], None, ["#0000ff"], ["#0000ff"],
    ]  # fmt: skip
    assert seen[4][0][:2] == pytest.approx((20, 20), abs=0.1)


def test_a_hint_ends_where_its_place_leaves_the_picture_or_something_covers_it():
    whole = texture(3, HEIGHT, WIDTH + 120)
    seen = told([Hint(12, 60, "#ff0000")], [whole[:, 4 * i : 4 * i + WIDTH] for i in range(8)])
    assert seen[1] and seen[7] is None
    white = BACKGROUND.copy()
    white[30:70, 30:70] = 255
    hints = [Hint(50, 50, "#ff0000"), Hint(150, 100, "#00ff00")]
    (left,) = move_hints(hints, lightness(BACKGROUND), lightness(white))
    assert (left.x, left.y, left.color) == (pytest.approx(150, abs=0.5), pytest.approx(100, abs=0.5), "#00ff00")


def test_without_hints_frames_are_photos_and_wrong_frames_are_refused():
    assert follow(np.copy, size=64) is np.copy
    (hint,) = to_hints([{"x": 1, "y": 2, "color": "#123456", "frame": 7}])
    assert hint.frame == 7
    for wrong in (-1, 1.5, True, "2"):
        with pytest.raises(UserError, match="must be the number of a video's frame"):
            to_hints([{"x": 1, "y": 2, "color": "#123456", "frame": wrong}])


def test_the_result_before_a_hint_begins_is_not_mixed_into_it():
    run = FollowedHints(lambda photo, hints: photo, [Hint(34, 54, "#ff0000", frame=2)])
    assert [(run(frame(10)), run.begins_anew)[1] for _ in range(4)] == [False, False, True, False]
