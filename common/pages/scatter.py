"""A chart of points with their names, as SVG."""

import math
from collections.abc import Mapping

from markupsafe import Markup, escape

from common.pages.charts import BOTTOM, HEIGHT, LEFT, N_COLORS, RIGHT, TOP, WIDTH, line, make_axis, text


def scatter_chart(title: str, points: Mapping[str, tuple[float, float]], x_label: str, y_label: str) -> Markup:
    """{name: (x, y)} as dots with their names; those with a value that is not finite are left out.

    An empty Markup if there are fewer than two.
    """
    points = {name: (x, y) for name, (x, y) in points.items() if math.isfinite(x) and math.isfinite(y)}
    if len(points) < 2:
        return Markup("")
    xs, ys = ([point[i] for point in points.values()] for i in (0, 1))
    to_x, x_ticks = make_axis(min(xs), max(xs), LEFT, WIDTH - RIGHT, False)
    to_y, y_ticks = make_axis(min(ys), max(ys), HEIGHT - BOTTOM, TOP, False)
    parts: list[str] = []
    for y in y_ticks:
        parts += [line("grid", LEFT, WIDTH - RIGHT, to_y(y), to_y(y)), text(LEFT - 6, to_y(y) + 4, f"{y:g}", "end")]
    parts += [text(to_x(x), HEIGHT - BOTTOM + 16, f"{x:g}", "middle") for x in x_ticks]
    for i, (name, (x, y)) in enumerate(points.items()):
        left, on_left = to_x(x), to_x(x) > 0.75 * WIDTH
        parts.append(f'<circle class="dot c{i % N_COLORS}" cx="{left:.1f}" cy="{to_y(y):.1f}" r="4"/>')
        parts.append(text(left - 8 if on_left else left + 8, to_y(y) + 4, name, "end" if on_left else "start"))
    parts += [text(WIDTH - RIGHT, HEIGHT - 6, x_label, "end"), text(4, TOP - 5, y_label)]
    summary = "; ".join(f"{name} {x:.4g}, {y:.4g}" for name, (x, y) in points.items())
    return Markup(
        f'<figure class="chart"><figcaption>{escape(title)}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(f"{title}: {summary}")}">'
        f"{''.join(parts)}</svg></figure>"
    )
