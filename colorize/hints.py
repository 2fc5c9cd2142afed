"""Hints: what a person knows of a photo's colours, in a file, and on the copy on which colours are found."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from colorize.lab import get_ab
from colorize.spread import Place
from common.photos.open import UnsuitablePhoto
from common.runtime.errors import UserError

LARGE = 1e9  # pixels; no photo is as wide
EXAMPLE = '[{"x": 120, "y": 80, "color": "#e07b39"}]'


class Hint(NamedTuple):
    """A true colour of one place."""

    x: float
    """Pixels of the photo from the left, its first pixel's middle at .5."""

    y: float
    """From the top."""

    color: str
    """#rrggbb, of which a* and b* count: lightness is the photo's."""

    frame: int = 0
    """Of a video, in which it begins; the first is 0."""


def read_hints(path: Path) -> list[Hint]:
    """The hints of a JSON file, a list as `EXAMPLE`. Raises UserError if it is none."""
    path = path.expanduser()
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"--hints {path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise UserError(f"--hints {path}: no JSON ({error}); a list such as {EXAMPLE}") from error
    if not isinstance(values, list):
        raise UserError(f"--hints {path}: no list; write {EXAMPLE}")
    return to_hints(values, f"--hints {path}, ")


def to_hints(values: list[Any], where: str = "") -> list[Hint]:
    """The hints of such a list. Raises UserError, which begins with `where`, if it is none."""
    return [to_hint(f"{where}entry {number}", value) for number, value in enumerate(values, 1)]


def to_hint(where: str, value: Any) -> Hint:
    """A Hint of JSON values. Raises UserError, which begins with `where`."""
    if not isinstance(value, dict) or set(value) - {"frame"} != {"x", "y", "color"}:
        raise UserError(f"{where}: must have x, y and color, and nothing but a frame besides: {EXAMPLE}")
    for key in ("x", "y"):
        number = value[key]
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < LARGE:
            raise UserError(f"{where}: {key} = {number!r}: must be pixels from the photo's left or top edge")
    if not isinstance(value["color"], str) or not re.fullmatch("#[0-9a-fA-F]{6}", value["color"]):
        raise UserError(f"{where}: color = {value['color']!r}: must be #rrggbb, as #e07b39")
    frame = value.get("frame", 0)
    if isinstance(frame, bool) or not isinstance(frame, int) or frame < 0:
        raise UserError(f"{where}: frame = {frame!r}: must be the number of a video's frame, of which the first is 0")
    return Hint(value["x"], value["y"], value["color"], frame)


def to_places(hints: list[Hint], photo: tuple[int, int], size: tuple[int, int]) -> list[Place]:
    """Where they are on a copy. photo: (height, width) that they are of; size: (h, w) of the copy.

    Raises UnsuitablePhoto if one is not in the photo, UserError if one is of another frame than the first.
    """
    for hint in hints:
        if hint.frame:
            raise UserError(f"--hints: frame = {hint.frame}: a photo has one frame, 0")
    return [Place(*find((hint.x, hint.y), photo, size), ab_of(hint.color)) for hint in hints]


def find(place: tuple[float, float], photo: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """(row, column) on a copy of (x, y) on the photo; sizes as in `to_places`.

    Raises UnsuitablePhoto if that is outside.
    """
    x, y = place
    if x >= photo[1] or y >= photo[0]:
        raise UnsuitablePhoto(f"--hints: x = {x:g}, y = {y:g} is not in the photo of {photo[1]} x {photo[0]} px")
    return int(y * size[0] / photo[0]), int(x * size[1] / photo[1])


def ab_of(color: str) -> Tensor:
    """(2,) of #rrggbb."""
    rgb = torch.tensor([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return get_ab(rgb[None, :, None, None])[0, :, 0, 0]
