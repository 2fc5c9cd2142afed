"""Points that visitors click on a photo, without a server: what the task is told, and what comes back."""

import base64
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.runtime.errors import UserError
from common.task import Option
from common.web.page import Page
from common.web.points import MOST, NONE, SHOWN, answer, read_clicked
from common.web.visitors import Visitors
from tests.common.web.conftest import make_task, open_nothing, with_points

RED, BLUE = ({"x": 1024, "y": 512, "color": "#ff0000"}, {"x": 0, "y": 10, "color": "#0000ff"})


@pytest.fixture
def page(tmp_path):
    task, given = with_points(make_task(lambda rgb: 255 - rgb), lambda model, photo, place, **told: [str(place), told])
    page = Page(task, {"a": Path("/x/a")}, Visitors(tmp_path / "page"), open_nothing)
    page.visitors.folder.mkdir()
    page.given = given
    return page


@pytest.fixture
def photo(page):
    path = page.visitors.folder / "a.png"
    Image.new("RGB", (2048, 1024), (10, 20, 30)).save(path)
    return str(path)


def follow(page, files, clicked, **options):
    return page.follow(files, "a", "none", 0.5, options, "s", clicked)


def start(page, files, clicked):
    return page.enhance(files, "a", "none", 0.5, {}, "s", clicked)


def test_the_result_comes_back_small_with_the_sides_that_points_are_of(page, photo):
    shown, text = follow(page, [photo], NONE, strength=1)
    assert (shown["sides"], shown["swatches"], shown["at"], text) == ((2048, 1024), [], None, "")
    picture = Image.open(io.BytesIO(base64.b64decode(shown["picture"].removeprefix("data:image/jpeg;base64,"))))
    assert picture.size == (SHOWN, SHOWN // 2)
    assert abs(np.asarray(picture).astype(int) - (245, 235, 225)).max() <= 2
    assert page.given == [{"strength": 1}]


def test_points_are_told_at_their_places_on_the_small_photo_and_colours_are_asked_without_their_own(page, photo):
    shown, _ = follow(page, [photo], {"points": [RED, BLUE], "at": 0})
    assert page.given == [{"notes": [(512, 256, "#ff0000"), (0, 5, "#0000ff")]}]
    assert shown["swatches"] == ["(512.0, 256.0)", {"notes": [(0, 5, "#0000ff")]}]
    assert shown["at"] == 0


def test_a_point_without_a_colour_is_asked_about_and_not_told(page, photo):
    shown, _ = follow(page, [photo], {"points": [{**RED, "color": None}], "at": 0})
    assert page.given == [{}]
    assert shown["swatches"] == ["(512.0, 256.0)", {}]
    start(page, [photo], {"points": [{**RED, "color": None}, BLUE], "at": 0})
    assert page.given[1] == {"notes": [(0, 10, "#0000ff")]}


def test_start_tells_the_points_and_gives_them_as_a_file(page, photo):
    _, download, said = start(page, [photo], {"points": [RED, BLUE], "at": 1})
    assert page.given == [{"notes": [(1024, 512, "#ff0000"), (0, 10, "#0000ff")]}]
    assert [Path(path).name for path in download] == ["a.png", "notes.json"]
    assert json.loads(Path(download[1]).read_text()) == [RED, BLUE]
    assert "1 of 1" in said


def test_points_of_the_photo_before_are_not_told_of_the_next(page, photo):
    other = Path(photo).with_name("b.png")
    other.write_bytes(Path(photo).read_bytes())
    shown, _ = follow(page, [photo], NONE)
    told = {"points": [RED], "at": 0, "photo": shown["photo"]}
    assert "a.png" not in shown["photo"]
    follow(page, [photo], told)
    start(page, [str(other)], told)
    assert follow(page, [str(other)], told)[0]["swatches"] == []
    assert page.given == [{}, {"notes": [(512, 256, "#ff0000")]}, {}, {}]


def test_several_photos_and_models_that_take_no_points_have_none(page, photo):
    other = Path(photo).with_name("b.png")
    other.write_bytes(Path(photo).read_bytes())
    told = {"points": [RED], "at": None}
    assert follow(page, [photo, str(other)], told) == follow(page, None, told) == (answer(), "")
    assert start(page, [photo, str(other)], told)[1].endswith(".zip")
    assert page.given == [{}, {}]
    use = page.task.use()
    page.task = replace(page.task, use=lambda: replace(use, points=replace(use.points, taken_by=lambda model: False)))
    assert not page.takes_points()
    assert follow(page, [photo], told) == (answer(), "")
    assert start(page, [photo], told)[1].endswith("a.png")
    assert page.given == [{}] * 3


def test_what_no_page_sends_is_refused(page, photo):
    for sent in (None, "", [], "x", {}, {"points": None}, {"points": [1]}):
        with pytest.raises(UserError, match="not understood"):
            read_clicked(sent)
        assert follow(page, [photo], sent) == (answer(), "a.png: the points were not understood")
        assert start(page, [photo], sent)[1:] == (None, "the points were not understood")
    with pytest.raises(UserError, match=f"up to {MOST}"):
        read_clicked({"points": [RED] * (MOST + 1)})
    for at in (2, -1, True, "0", None, 0.0):
        assert read_clicked({"points": [RED, BLUE], "at": at}).asked is None
    broken = page.visitors.folder / "b.png"
    broken.write_bytes(b"")
    assert follow(page, [str(broken)], NONE) == (
        answer(), "b.png: no photo, or of a kind that this page does not take",
    )  # fmt: skip


def test_a_photo_that_was_looked_at_goes_with_its_visitor(page, photo):
    follow(page, [photo], NONE)
    page.visitors.open_pages = 1  # another's
    page.visitors.leave("s", 0)
    assert not Path(photo).exists()


def test_a_field_is_a_number_within_its_bounds_or_the_default():
    side, part = Option("side", int, None, 1, None, ""), Option("part", float, 0.5, 0.0, 1.0, "")
    assert (side.read(" "), side.read("12"), side.read(7), part.read(""), part.read("1e-1")) == (None, 12, 7, 0.5, 0.1)
    for option, word in [(side, "0"), (side, "1.5"), (side, "x"), (part, "2"), (part, "nan"), (part, "-1")]:
        with pytest.raises(UserError, match=f"{option.name} = {word}: must be a {'whole ' * (option is side)}number, "):
            option.read(word)
    with pytest.raises(UserError, match=r"number, 0 or more, 1 or less$"):
        part.read("-1")
    assert replace(part, lowest=None).read("-5") == -5
    with pytest.raises(UserError):
        replace(part, highest=None).read("inf")
    assert Option("name", str, None, None, None, "").read("") is None
