"""Line charts as SVG, in the colours of their page. Drawn here, since Matplotlib takes a second for five."""

import math
from collections.abc import Callable, Mapping, Sequence

from markupsafe import Markup, escape

Points = Sequence[tuple[float, float]]
ToPixel = Callable[[float], float]

WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 18, 40  # margins
N_COLORS = 10  # of the page's classes c0 to c9


def line_chart(
    title: str,
    series: Mapping[str, Points],
    x_label: str,
    bands: Sequence[tuple[float, float, str]] = (),
    mark: tuple[float, str] | None = None,
    stacked: bool = False,
    log: bool = False,
) -> Markup:
    """A chart of {name: [(x, y)]}, with its legend and, folded away, its numbers.

    bands: [(from, to, label)] of x, shaded in turn. mark: (x, label) of a vertical line. stacked: each series is an
    area on top of the one before, all at the same x. log: y is logarithmic; values of 0 and less are left out.
    Points whose y is not finite are left out. An empty Markup if there is nothing to draw.
    """
    series = {
        name: [(x, y) for x, y in points if math.isfinite(y) and (y > 0 or not log)] for name, points in series.items()
    }
    series = {name: points for name, points in series.items() if points}
    if not series:
        return Markup("")
    drawn = stack(series) if stacked else series
    xs, ys = ([value[i] for points in drawn.values() for value in points] for i in (0, 1))
    to_y, y_ticks = make_axis(min(0.0, *ys) if stacked else min(ys), max(ys), HEIGHT - BOTTOM, TOP, log)
    to_x, x_ticks = make_axis(min(xs), max(xs), LEFT, WIDTH - RIGHT, False, around=False)
    if all(float(x).is_integer() for x in xs):  # epochs and steps have no halves
        x_ticks = [x for x in x_ticks if x.is_integer()]
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts: list[str] = []
    for i, (start, end, label) in enumerate(bands):
        x1, x2 = (min(max(to_x(x), LEFT), right) for x in (start, end))
        parts.append(
            f'<rect class="band band{i % 2}" x="{x1:.1f}" y="{TOP}" width="{x2 - x1:.1f}" height="{bottom - TOP}"/>'
        )
        parts.append(text(x1 + 4, TOP - 5, label))
    for y in y_ticks:
        parts.append(line("grid", LEFT, right, to_y(y), to_y(y)))
        parts.append(text(LEFT - 6, to_y(y) + 4, f"{y:g}", "end"))
    parts += [text(to_x(x), bottom + 16, f"{x:g}", "middle") for x in x_ticks]
    floor = [(x, 0.0) for x, _ in next(iter(drawn.values()))]
    for i, points in enumerate(drawn.values()):
        color, path = f"c{i % N_COLORS}", join_points(points, to_x, to_y)
        if stacked:
            below = join_points(floor[::-1], to_x, to_y)
            parts.append(f'<polygon class="area {color}" points="{path} {below}"/>')
            floor = list(points)
        parts.append(f'<polyline class="line {color}" points="{path}"/>')
        if len(points) == 1:
            x, y = points[0]
            parts.append(f'<circle class="dot {color}" cx="{to_x(x):.1f}" cy="{to_y(y):.1f}" r="3"/>')
    if mark is not None:
        x, label = to_x(mark[0]), mark[1]
        on_left = x > WIDTH / 2
        parts.append(line("mark", x, x, TOP, bottom))
        parts.append(text(x - 5 if on_left else x + 5, TOP + 12, label, "end" if on_left else "start", "tick strong"))
    parts.append(text(right, HEIGHT - 6, x_label, "end"))
    summary = "; ".join(f"{name} from {points[0][1]:.4g} to {points[-1][1]:.4g}" for name, points in series.items())
    legend = "".join(f'<span><i class="key c{i % N_COLORS}"></i>{escape(name)}</span>' for i, name in enumerate(series))
    label = escape(f"{title}: {summary}")
    return Markup(
        f'<figure class="chart"><figcaption>{escape(title)}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
        f'<div class="legend">{legend}</div>{numbers_table(series, x_label)}</figure>'
    )


def text(x: float, y: float, label: str, anchor: str = "start", style: str = "tick") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(label)}</text>'


def line(style: str, x1: float, x2: float, y1: float, y2: float) -> str:
    return f'<line class="{style}" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}"/>'


def join_points(points: Points, to_x: ToPixel, to_y: ToPixel) -> str:
    return " ".join(f"{to_x(x):.1f},{to_y(y):.1f}" for x, y in points)


def stack(series: Mapping[str, Points]) -> dict[str, list[tuple[float, float]]]:
    """Each series with the ones before it added, at the x that they share."""
    sums: dict[float, float] = {}
    stacked: dict[str, list[tuple[float, float]]] = {}
    for name, points in series.items():
        for x, y in points:
            sums[x] = sums.get(x, 0.0) + y
        stacked[name] = [(x, sums[x]) for x, _ in points]
    return stacked


def make_axis(
    low: float, high: float, start: float, end: float, log: bool, around: bool = True
) -> tuple[ToPixel, list[float]]:
    """(function from value to pixel, ticks). around: with round values at both ends."""
    if log:
        exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        low, high = 10.0 ** exponents[0], 10.0 ** exponents[-1]
        ticks = [10.0**exponent for exponent in exponents][:: max(1, len(exponents) // 6)]
        span = max(math.log10(high / low), 1e-9)
        return (lambda value: start + (end - start) * math.log10(value / low) / span), ticks
    step = nice_step((high - low) or abs(high) or 1.0)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    if first == last:
        last += 1
    if around:
        low, high = first * step, last * step
    ticks = [round(i * step, 12) for i in range(first, last + 1) if low - 1e-9 * step <= i * step <= high + 1e-9 * step]
    span = (high - low) or 1.0
    return (lambda value: start + (end - start) * (value - low) / span), ticks


def nice_step(span: float) -> float:
    """1, 2 or 5 times a power of ten, a fifth of the span or a little more."""
    power = 10.0 ** math.floor(math.log10(span / 5))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= span / 5 * (1 - 1e-9))


def numbers_table(series: Mapping[str, Points], x_label: str) -> str:
    """The numbers of a chart as a table that is folded away."""
    xs = sorted({x for points in series.values() for x, _ in points})
    if len(xs) > 100:
        return ""
    values = {name: dict(points) for name, points in series.items()}
    head = "".join(f"<th>{escape(name)}</th>" for name in series)
    rows = "".join(
        f"<tr><td>{x:.6g}</td>"
        + "".join(f"<td>{values[name][x]:.4g}</td>" if x in values[name] else "<td></td>" for name in series)
        + "</tr>"
        for x in xs
    )
    return (
        f"<details><summary>Numbers</summary><div class=scroll><table><thead><tr><th>{escape(x_label)}</th>{head}</tr>"
        f"</thead><tbody>{rows}</tbody></table></div></details>"
    )
