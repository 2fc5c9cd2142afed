import re

import pytest

from common.pages.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, line_chart, nice_step


def points_of(chart, kind="polyline"):
    """[[(x, y)]] of the lines or areas of a chart, in pixels."""
    found = re.findall(rf'<{kind} [^>]*points="([^"]*)"', chart)
    return [[tuple(map(float, pair.split(","))) for pair in points.split()] for points in found]


def test_values_are_drawn_where_the_axes_say():
    chart = line_chart("title", {"a": [(1, 0.0), (2, 5.0), (3, 10.0)]}, "epoch")
    assert points_of(chart) == [
        [(LEFT, HEIGHT - BOTTOM), ((LEFT + WIDTH - RIGHT) / 2, (HEIGHT - BOTTOM + TOP) / 2), (WIDTH - RIGHT, TOP)]
    ]
    assert [">0<" in chart, ">10<" in chart, ">1.5<" in chart] == [True, True, False]  # epochs have no halves
    assert 'aria-label="title: a from 0 to 10"' in chart
    assert "<td>5</td>" in chart


def test_stacked_areas_add_up():
    chart = line_chart("terms", {"a": [(1, 1.0), (2, 1.0)], "b": [(1, 1.0), (2, 3.0)]}, "epoch", stacked=True)
    (_, first), (_, second) = points_of(chart)
    middle = (HEIGHT - BOTTOM) - (HEIGHT - BOTTOM - TOP) / 4
    assert first[1] == pytest.approx(middle, abs=0.1)  # 1 of 4
    assert second[1] == TOP  # 1 + 3
    assert len(points_of(chart, "polygon")) == 2


def test_a_logarithmic_axis_leaves_out_what_it_cannot_show():
    chart = line_chart("lr", {"lr": [(0, 0.0), (1, 1e-4), (2, 1e-3), (3, 1e-2), (4, float("nan"))]}, "epoch", log=True)
    ((low, middle, high),) = points_of(chart)
    assert (low[1], middle[1], high[1]) == (HEIGHT - BOTTOM, (HEIGHT - BOTTOM + TOP) / 2, TOP)


def test_one_epoch_is_a_dot_and_nothing_is_nothing():
    assert "<circle" in line_chart("loss", {"a": [(1, 0.5)]}, "epoch")
    assert line_chart("loss", {"a": [(1, float("inf"))]}, "epoch") == ""


def test_names_are_escaped():
    assert "<b>" not in line_chart("<b>", {"<b>": [(1, 1.0), (2, 2.0)]}, "<b>", [(1, 2, "<b>")], (1, "<b>"))


@pytest.mark.parametrize(("span", "step"), [(1, 0.2), (49, 10), (3, 1), (0.031, 0.01), (5, 1)])
def test_steps_of_an_axis_are_1_2_or_5(span, step):
    assert nice_step(span) == pytest.approx(step)
