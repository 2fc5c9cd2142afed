"""What the page does with photos, without a server."""

import argparse
import struct
import time
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import common.web.serve
from common.commands.app import get_app_parser
from common.web.page import Page
from common.web.visitors import Visitors
from superres.task import TASK as superres_task
from tests.common.web.conftest import make_task, open_nothing


@pytest.fixture
def two_photos(tmp_path):
    paths = [tmp_path / f"uploads/{i}.png" for i in range(2)]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(path)
    return [str(path) for path in paths]


def make_page(folder, enhance=lambda rgb: rgb, **limits):
    return Page(make_task(enhance), {"a": Path("/x/a")}, Visitors(folder), open_nothing, **limits)


def test_photos_are_left_when_the_time_is_over(tmp_path, two_photos):
    said = make_page(tmp_path, minutes=0).enhance(two_photos, "a", "none", 0.5, {}, "s")[2]
    assert said.startswith("After 0 minutes 2 photos were left: start them again.\n\n0 of 2 photos in ")


def test_what_there_is_to_know_of_a_photo_is_said_without_its_path(tmp_path, two_photos):
    task = make_task(lambda rgb: rgb)
    use = replace(task.use(), remark=lambda model, photo, **options: f"looks {photo.shape} {options}")
    page = Page(replace(task, use=lambda: use), {"a": Path("/x/a")}, Visitors(tmp_path), open_nothing)
    said = page.enhance(two_photos[:1], "a", "none", 0.5, {"scale": 2}, "s")[2]
    assert said.startswith("0.png: looks (8, 8, 3) {'scale': 2}\n\n1 of 1 photos in ")


def test_work_ends_and_leaves_nothing_when_its_visitor_has_left(tmp_path, two_photos):
    seen = []

    def leave(rgb):
        seen.append(rgb)
        page.visitors.leave("s", 0)
        return rgb

    page = make_page(tmp_path, leave)
    page.visitors.open_pages = 1  # another visitor's
    page.enhance(two_photos, "a", "none", 0.5, {}, "s")
    assert len(seen) == 1
    assert not any(tmp_path.rglob("*.png"))
    assert page.visitors.held == {}


def test_a_tiff_of_thousands_of_pages_is_refused_at_once(tmp_path):
    tags = [(256, 1), (257, 1), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1), (279, 1)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    pages = [struct.pack("<H", len(tags)) + entries + struct.pack("<I", 8 + 114 * (n + 1)) for n in range(20_000)]
    path = tmp_path / "pages.tif"
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + b"".join(pages)[:-4] + bytes(4))
    started = time.monotonic()
    said = make_page(tmp_path).enhance([str(path)], "a", "none", 0.5, {}, "s")[2]
    assert said.startswith("pages.tif: more than 1000 pages")
    assert time.monotonic() - started < 1


def test_nothing_outside_of_its_folder_is_deleted(tmp_path, two_photos):
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "uploads", target_is_directory=True)
    visitors = Visitors(folder)
    visitors.hold("s", [Path(two_photos[0]), folder, folder / "..", folder / "link", folder / "../uploads", tmp_path])
    visitors.leave("s", 0)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["0.png", "1.png", "link", "page", "uploads"]


def test_a_page_for_everybody_without_a_password_is_warned_of(monkeypatch, caplog):
    class Blocks:
        def close(self):
            pass

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(common.web.serve, "build", lambda page: Blocks())
    monkeypatch.setattr(common.web.serve, "launch", lambda *_: "http://x")
    monkeypatch.setattr(common.web.serve.time, "sleep", interrupt)
    monkeypatch.setattr(common.web.serve.signal, "signal", lambda *_: None)
    monkeypatch.setattr(common.web.serve.os, "environ", {})
    task = make_task(lambda rgb: rgb)

    def warned(*words):
        caplog.clear()
        assert common.web.serve.serve(task, parse("m.safetensors", *words), {}) == 0
        return "everybody who has the address can use this page" in caplog.text

    assert not warned()
    assert not warned("--host", "::1")
    assert not warned("--host", "localhost")
    assert warned("--host", "0.0.0.0")
    assert warned("--host", "192.168.1.2")
    assert warned("--share")
    assert not warned("--share", "--auth", "me:secret")


def parse(*words) -> argparse.Namespace:
    return get_app_parser(make_task(lambda rgb: rgb), [], "").parse_args(words)


def test_the_password_comes_from_the_flag_or_the_environment_and_is_not_repeated(monkeypatch, capsys):
    assert parse("m").auth is None
    assert parse("m", "--auth", "me:a:b").auth == ("me", "a:b")
    monkeypatch.setenv("PERCEPTUAL_ENHANCE_AUTH", "you:c")
    assert parse("m").auth == ("you", "c")
    monkeypatch.setenv("PERCEPTUAL_ENHANCE_AUTH", "")
    assert parse("m").auth is None
    with pytest.raises(SystemExit):
        parse("m", "--auth", "hunter2")
    said = capsys.readouterr().err
    assert "must be USER:PASSWORD" in said
    assert "hunter2" not in said


def test_a_root_path_has_no_slash_at_its_end(capsys):
    assert parse("m", "--root-path", "/enhance/").root_path == "/enhance"
    assert parse("m", "--root-path", "https://example.com/x/").root_path == "https://example.com/x"
    with pytest.raises(SystemExit):
        parse("m", "--root-path", "enhance")


def test_the_limit_knows_the_size_that_is_asked_for(tmp_path, two_photos):
    page = make_page(tmp_path, lambda rgb: rgb.repeat(2, axis=0), megapixels=0.01)
    page.task = replace(page.task, room=superres_task.room, check_options=superres_task.check_options)

    def said(**options):
        return page.enhance(two_photos, "a", "none", 0.5, {"scale": None, "width": None, **options}, "s")[2]

    page.get_enhance = lambda network, **options: lambda rgb: rgb
    assert said().startswith("2 of 2 photos")
    assert said(scale=2.0).startswith("0.png: 8 x 8 px to 16 x 16 is 2 times as large, and this model enlarges nothing")
    assert said(scale=1.0, width=3) == "--scale and --width: give one; the other side follows from the photo"
    page.task = replace(page.task, room=lambda *_: (8, 8, 20_000))  # a large picture on the way to a small result
    assert said().startswith("0.png: its result would have 0.0 megapixels")
