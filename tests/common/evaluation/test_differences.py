"""Where pictures differ most, on pictures that differ in known places."""

import numpy as np
import pytest

from common.evaluation.differences import Place, most_different, spread_of

GREY = np.full((200, 300, 3), 100, np.uint8)


def with_squares(*squares):
    """GREY with squares of 40 pixels: (top, left, how much brighter)."""
    picture = GREY.copy()
    for top, left, brighter in squares:
        picture[top : top + 40, left : left + 40] += brighter
    return picture


def test_the_spread_is_the_largest_less_the_smallest_value_of_all_pictures():
    pictures = [np.array([[values]], np.uint8) for values in ([10, 200, 5], [30, 100, 5], [20, 255, 5])]
    assert spread_of(pictures).tolist() == [[20 + 155 + 0]]


def test_places_are_where_the_difference_was_made_the_largest_first():
    pictures = [GREY, with_squares((16, 200, 20), (120, 24, 60)), with_squares((120, 24, 5))]
    first, second = most_different(pictures, 40, 2)
    assert first == Place(120, 24, 40, 40, 60.0)
    assert second == Place(16, 200, 40, 40, 20.0)
    assert (first.cut(pictures[1]) == 160).all()


@pytest.mark.parametrize(("top", "left"), [(0, 0), (160, 260), (77, 131)])
def test_a_square_that_fits_no_step_is_found_within_half_a_step_or_at_the_border(top, left):
    (place,) = most_different([GREY, with_squares((top, left, 30))], 40, 1)
    assert abs(place.top - top) <= 4
    assert abs(place.left - left) <= 4


def test_places_do_not_overlap_and_end_where_nothing_differs():
    places = most_different([GREY, with_squares((80, 80, 90), (80, 120, 80))], 40, 9)
    assert [(place.top, place.left) for place in places] == [(80, 80), (80, 120)]
    assert most_different([GREY, GREY], 40, 3) == []


def test_a_place_is_no_larger_than_the_pictures():
    thin = np.zeros((3, 500, 3), np.uint8)
    changed = thin.copy()
    changed[:, 400:] = 255
    assert most_different([thin, changed], 384, 5) == [Place(0, 112, 3, 384, 255 * 96 / 384)]


def test_sums_of_a_large_picture_do_not_overflow():
    """765 a pixel, 4.4e9 in all: more than 32 bits hold."""
    black = np.zeros((2400, 2400, 3), np.uint8)
    (place,) = most_different([black, 255 - black], 2400, 1)
    assert place.difference == 255
