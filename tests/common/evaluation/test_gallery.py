"""Photos under models that are plain functions, whose results are known."""

import base64
import gc
import json
import re
import weakref
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from common.evaluation.gallery import Candidate, show_photos, write_gallery
from common.inference.room import times
from common.runtime.errors import ResultNotFinite, UserError


def doubled(photo, *squares):
    """The photo twice as large, with squares of 100 pixels: (top, left, colour)."""
    result = photo.repeat(2, axis=0).repeat(2, axis=1)
    for top, left, color in squares:
        result[top : top + 100, left : left + 100] = color
    return result


def candidate(name, *squares, parameters=None):
    return Candidate(name, lambda photo, **options: doubled(photo, *squares), 1.25, parameters)


def show(paths, *candidates):
    return show_photos(paths, candidates, lambda photo: ("plain", doubled(photo)), times(2), {})


def open_picture(address):
    return np.asarray(Image.open(BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGB")).astype(int)


@pytest.fixture
def paths(tmp_path):
    """Two grey photos of 600 x 500 pixels."""
    paths = [tmp_path / f"{name}.png" for name in "ab"]
    for path in paths:
        Image.new("RGB", (600, 500), (128, 128, 128)).save(path)
    return paths


RED, BLUE, BOTH = (255, 0, 0), (0, 0, 255), (0, 255, 0)


def test_details_are_where_the_models_differ_and_not_where_they_agree(paths):
    """Both paint one square green; one paints another red, a third a little lighter."""
    both = (0, 0, BOTH)
    first, second = candidate("first", both), candidate("second", both, (600, 1000, RED), (100, 700, (140, 140, 140)))
    views = show(paths[:1], first, second)["a.png"]
    whole, red, lighter = ({label: open_picture(uri) for label, uri in view["pictures"].items()} for view in views)
    assert list(whole) == ["plain", "first", "second"]
    assert whole["second"].shape == (320, 384, 3)  # of 1000 x 1200
    assert abs(whole["second"][16, 16] - BOTH).max() < 12
    assert abs(whole["plain"] - 128).max() < 4
    counts = [(abs(detail["second"] - color).max(axis=2) < 40).sum() for detail, color in ((red, RED), (lighter, 140))]
    assert counts[0] == pytest.approx(100 * 100, rel=0.05)
    assert red["second"].shape == (384, 384, 3)  # in full detail
    assert abs(red["first"] - 128).max() < 4
    assert abs(lighter["second"].max() - 140) < 5
    assert abs(lighter["first"] - 128).max() < 4
    assert "they differ by" in views[1]["figures"][0]
    assert (views[1]["left"], views[1]["right"]) == ("first", "second")


def test_one_model_is_compared_with_none(paths):
    views = show(paths[:1], candidate("only", (600, 700, RED)))["a.png"]
    assert len(views) == 2
    assert (views[1]["left"], views[1]["right"]) == ("plain", "only")
    assert abs(open_picture(views[1]["pictures"]["only"])[..., 2] - 0).min() < 20


def test_of_models_that_agree_the_whole_photo_is_shown(paths):
    assert [len(views) for views in show(paths, candidate("a"), candidate("b")).values()] == [1, 1]


def test_a_small_photo_is_shown_once_as_it_is(tmp_path):
    Image.new("RGB", (30, 20), RED).save(tmp_path / "small.png")
    (view,) = show([tmp_path / "small.png"], candidate("a"), candidate("b", (0, 0, BLUE)))["small.png"]
    assert view["figures"] == ["60 x 40 px, in full detail"]
    assert open_picture(view["pictures"]["a"]).shape == (40, 60, 3)


def test_a_model_that_has_the_name_of_none_is_told_from_it(paths):
    (view,) = show(paths[:1], candidate("plain"))["a.png"]
    assert list(view["pictures"]) == ["plain (no model)", "plain"]


def test_of_one_photo_alone_the_results_are_held(paths):
    results, held = [], []

    def enhance(photo, **options):
        held.append(sum(result() is not None for result in results))
        result = doubled(photo)
        results.append(weakref.ref(result))
        return result

    gc.collect()
    show(paths, *(Candidate(name, enhance, 1, None) for name in "xyz"))
    assert max(held) == 2  # when the third is made, of 6 in all


def test_seconds_a_megapixel_are_those_of_all_photos(monkeypatch):
    clock = iter([0, 3, 10, 11])
    monkeypatch.setattr("common.evaluation.gallery.time.perf_counter", lambda: next(clock))
    tried = candidate("x")
    for pixels in (1000, 500):
        tried.make_timed(np.zeros((1000, pixels, 3), np.uint8))
    assert tried.pace == 4 / 1.5


def test_a_photo_that_a_model_fails_on_is_left_out_with_the_models_name(paths, caplog):
    def enhance(photo, **options):
        if photo.shape[0] > 499:
            raise ResultNotFinite("NaN")
        return doubled(photo)

    Image.new("RGB", (50, 40)).save(paths[1])
    shown = show(paths, candidate("good"), Candidate("bad", enhance, 1, None))
    assert list(shown) == ["b.png"]
    assert f"failed {paths[0]}: bad: NaN" in caplog.messages
    with pytest.raises(UserError, match="none of 1 photos could be enhanced"):
        show(paths[:1], Candidate("bad", enhance, 1, None))


def test_the_page_has_every_photo_under_every_model_and_what_each_takes(paths, tmp_path):
    candidates = candidate("x <1>", (0, 0, RED), parameters=1234567), candidate("y", (600, 900, BLUE))
    shown = show(paths, *candidates)
    for each in candidates:
        each.times = [(1.0, 0.5)]
    write_gallery(tmp_path / "page.html", "Which?", "a machine", candidates, shown)
    page = (tmp_path / "page.html").read_text()
    figures = re.findall(r'<figure class="compare" data-photo="([^"]*)">(.*?)</figure>', page, re.DOTALL)
    assert [name for name, _ in figures] == ["a.png"] * 3 + ["b.png"] * 3
    for _, figure in figures:
        others = json.loads(re.search(r'<script type="application/json">(.*?)</script>', figure)[1])
        named = re.findall('data-name="([^"]*)" src="data:image/webp', figure)
        assert (named, list(others)) == (["y", "x &lt;1&gt;"], ["plain"])
    rows = re.findall(r"<tr><td>(.*?)</td>.*?>(.*?)</td>.*?>(.*?)</td>.*?>(.*?)</td></tr>", page)
    assert rows == [("x &lt;1&gt;", "2", "1.2", "1,234,567"), ("y", "2", "1.2", "")]
    assert not re.search(r"https?://", page)  # it needs nothing from elsewhere
