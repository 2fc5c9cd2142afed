"""Points that a visitor clicks on a photo: what they say, and the small result that follows them.

They are sent with each click, and kept by the visitor's browser alone.
"""

import base64
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from common.inference.work import Enhance
from common.photos.flat import open_photo
from common.runtime.errors import UserError
from common.task import Points

if TYPE_CHECKING:
    import gradio as gr

SHOWN = 1024  # pixels of the longer side of the picture that is clicked on
MOST = 100  # points
NONE = {"points": [], "at": None}  # what a browser sends before the first click
ANY = "#808080"  # the colour of a point that has none yet, where it must have one


class Clicked(NamedTuple):
    """What a browser sends."""

    points: list[dict[str, Any]]
    """With a colour: of `common.task.Points`, so far as the task's `read` agrees."""

    asked: dict[str, Any] | None
    """The point that is chosen, with a colour of its own or ANY: its place is asked about."""

    at: int | None
    """Its number in the browser."""

    photo: str | None
    """Of `name_of` the photo that was clicked on; None: a browser that has not been answered yet."""

    @property
    def others(self) -> list[dict[str, Any]]:
        return [point for point in self.points if point is not self.asked]


def read_clicked(value: Any) -> Clicked:
    """Clicked, of any JSON value. Raises UserError if no page of ours sends it."""
    points, at = (value.get("points"), value.get("at")) if isinstance(value, dict) else (None, None)
    if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
        raise UserError("the points were not understood")
    if len(points) > MOST:
        raise UserError(f"{len(points)} points, and this page takes up to {MOST}")
    painted = [point for point in points if point.get("color") is not None]
    asked = points[at] if type(at) is int and 0 <= at < len(points) else None
    if asked is not None and asked.get("color") is None:
        asked = {**asked, "color": ANY}
    return Clicked(painted, asked, at if asked else None, value.get("photo"))


def clicked_on(photo: Path, value: Any) -> Clicked:
    """`read_clicked`, without points of another photo: the browser may not know yet that it was changed."""
    clicked = read_clicked(value)
    return clicked if clicked.photo in (None, name_of(photo)) else read_clicked(NONE)


def name_of(photo: Path) -> str:
    """A name for an upload that tells its path to nobody."""
    return hashlib.sha256(str(photo).encode()).hexdigest()[:16]


def answer(
    picture: str = "",
    sides: tuple[int, int] = (0, 0),
    swatches: list[str] | None = None,
    at: Any = None,
    photo: str | None = None,
) -> dict:
    """What `points.js` shows: a picture's address, the photo's (width, height), colours for point `at`; or nothing."""
    return {"picture": picture, "sides": sides, "swatches": swatches or [], "at": at, "photo": photo}


def show(
    points: Points, photo: Path, clicked: Clicked, enhance: Callable[..., Enhance], suggest: Callable[..., Any]
) -> dict:
    """The `answer` to a click. enhance(**option): a function for photos; suggest(photo, place, **option) -> colours.

    Raises PhotoError if the photo cannot be read, UserError for points that the task does not understand.
    """
    image = open_photo(photo)
    size = image.size
    image.thumbnail((SHOWN, SHOWN), reducing_gap=2)
    small = np.asarray(image)
    smaller = image.width / size[0], image.height / size[1]

    def scaled(values: list[dict[str, Any]]) -> list[dict[str, Any]]:
        points.read(values)  # or they have no x and y to be multiplied
        return [{**value, "x": value["x"] * smaller[0], "y": value["y"] * smaller[1]} for value in values]

    def option(values: list[dict[str, Any]]) -> dict[str, Any]:
        return {points.option: points.read(scaled(values))} if values else {}

    colors: list[str] = []
    if clicked.asked is not None:
        (asked,) = scaled([clicked.asked])
        colors = [*suggest(small, (asked["x"], asked["y"]), **option(clicked.others))]
    result = enhance(**option(clicked.points))(small)
    return answer(as_address(result), size, colors, clicked.at, name_of(photo))


def as_address(picture: np.ndarray) -> str:
    """(H, W, 3) uint8 as a JPEG within an address: no file is left behind."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=90)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def make_component() -> "gr.HTML":
    """The photo that can be clicked on: hidden until it has an `answer`."""
    import gradio as gr

    html, css, js = (
        Path(__file__).with_name(f"points.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js")
    )
    return gr.HTML(
        NONE, html_template=html, css_template=css, js_on_load=js, label="Points", elem_id="points", **answer()
    )
