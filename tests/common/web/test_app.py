"""The web page, as a visitor sees it: in headless Chromium, of a server that runs as users start it."""

import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from common.runtime.errors import UserError
from tests.commands import posix_only, run

no_gradio = pytest.mark.skipif(find_spec("gradio") is None, reason="gradio is not here")
pytestmark = [pytest.mark.slow, posix_only, no_gradio]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small style network, which paints something."""
    from common.commands.configs import CONFIGS
    from common.config.yaml_file import load_config
    from styletransfer.config import Config
    from styletransfer.files import save_model
    from styletransfer.network import get_model

    torch.manual_seed(0)
    config = load_config(Config, CONFIGS / "styletransfer_demo.yaml", ["model.johnson.width=4"])
    path = tmp_path_factory.mktemp("model") / "painter.safetensors"
    save_model(path, get_model(config.model), config)
    return path


@pytest.fixture(scope="module")
def server(model, tmp_path_factory):
    """(address, folder for its files, what it printed) of a running page."""
    folder = tmp_path_factory.mktemp("server")
    command = [sys.executable, "-m", "styletransfer.app", str(model), "--megapixels", "0.1"]
    environment = {**os.environ, "TMPDIR": str(folder)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if found := re.search(r"open (http://127\.0\.0\.1:\d+)", line):
            break
    else:
        pytest.fail("".join(lines))
    yield found[1], folder, lines
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert not list(folder.iterdir())  # nothing is left behind


@pytest.fixture
def page(browser, server):
    page, elsewhere = browser.new_page(viewport={"width": 1200, "height": 900}), []
    page.on("request", lambda request: elsewhere.append(request.url))
    page.goto(server[0])
    page.wait_for_selector("#start")
    yield page
    page.close()
    assert all(url.startswith((server[0], "data:", "blob:")) for url in elsewhere)


def test_nothing_but_the_address_is_said_at_the_start(server):
    assert server[2] == [f"open {server[0]}/ in a browser; Ctrl-C ends it\n"]


def send(page, *photos):
    page.set_input_files("#photos input[type=file]", [str(photo) for photo in photos])
    page.wait_for_selector(f"#photos >> text={photos[0].stem[:8]}")
    page.click("#start")


def download(page, folder):
    with page.expect_download() as waiting:
        page.click("#result a[download]")
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def files_of(folder, name):
    return [path for path in folder.rglob(f"*{name}*") if path.is_file()]


def test_a_photo_comes_back_as_predict_writes_it(page, server, model, photos, tmp_path):
    photo = photos / "unique_0.jpg"
    exif = Image.Exif()
    exif[0x010E] = "a caption"
    Image.open(photos / "0.png").resize((200, 160)).save(photo, exif=exif, quality=95)
    send(page, photo)
    page.wait_for_selector("#messages >> text=1 of 1 photos")
    result = download(page, tmp_path)
    assert run("styletransfer.predict", model, photo, "-o", tmp_path / "expected").returncode == 0
    got, expected = Image.open(result), Image.open(tmp_path / "expected/unique_0.jpg")
    assert got.size == (200, 160)
    assert np.array_equal(np.asarray(got), np.asarray(expected))
    assert got.getexif()[0x010E] == "a caption"
    widths = page.eval_on_selector_all("#slider img", "images => images.map(image => image.naturalWidth)")
    assert widths == [200, 200]

    assert files_of(server[1], "unique_0")
    page.goto("about:blank")
    deadline = time.monotonic() + 20
    while files_of(server[1], "unique_0") and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not files_of(server[1], "unique_0")


def box_at_rest(page, handle):
    """Where a handle is, once it moves no more: it does while its photos load."""
    before = None
    while (box := handle.bounding_box()) != before:
        before = box
        page.wait_for_timeout(500)
    return box


def test_the_slider_moves(page, photos):
    send(page, photos / "1.png")
    page.wait_for_selector("#messages >> text=1 of 1 photos")
    handle = page.wait_for_selector("#slider [data-testid=slider] .icon-wrap")
    box = box_at_rest(page, handle)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = page.screenshot(clip={"x": x - 100, "y": y - 50, "width": 200, "height": 100})
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 80, y, steps=5)
    page.mouse.up()
    assert abs(box_at_rest(page, handle)["x"] - box["x"] - 80) < 8
    assert page.screenshot(clip={"x": x - 100, "y": y - 50, "width": 200, "height": 100}) != before


def test_several_photos_come_as_a_zip_and_a_broken_one_is_named(page, photos, tmp_path):
    (photos / "broken.png").write_bytes((photos / "2.png").read_bytes()[:600])
    Image.new("RGB", (800, 600)).save(photos / "large.png")
    send(page, *(photos / name for name in ("2.png", "3.png", "broken.png", "large.png")))
    page.wait_for_selector("#messages >> text=2 of 4 photos")
    text = page.inner_text("#messages")
    assert (
        "broken.png" in text
        and "large.png: its result would have 0.5 megapixels, and this page makes up to 0.1" in text
    )
    with zipfile.ZipFile(download(page, tmp_path)) as results:
        assert sorted(results.namelist()) == ["2.png", "3.png"]


def test_what_cannot_be_done_is_said_on_the_page(tmp_path):
    from common.web.page import Page
    from common.web.visitors import Visitors
    from tests.common.web.conftest import make_task

    def open_model(path, other, part):
        if other is not None:
            raise UserError(f"{other}: these two cannot be mixed")
        return torch.nn.Identity()

    models = {"a": Path("/x/a"), "b": Path("/x/b")}
    page = Page(make_task(lambda pixels: pixels), models, Visitors(tmp_path), open_model, megapixels=1)
    assert page.enhance(["x.png"], "a", "b", 0.5, {}, "s") == (None, None, "b: these two cannot be mixed")
    assert page.enhance([], "a", "none", 0.5, {}, "s") == (None, None, "Drop a photo first.")


def test_without_gradio_it_says_what_to_install(monkeypatch):
    import common.web.serve

    monkeypatch.setattr(common.web.serve, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"pip install \"perceptual-enhance\[app\]\""):
        common.web.serve.serve(None, None, {})
