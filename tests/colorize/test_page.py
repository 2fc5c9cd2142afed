"""Hints on the web page, as a visitor gives them: in headless Chromium."""

import argparse
import base64
import io
import json
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from colorize.config import Config
from colorize.files import save_model
from colorize.hints import ab_of
from colorize.network import get_model
from colorize.task import TASK
from common.config.yaml_file import load_config
from tests.commands import run

pytestmark = pytest.mark.slow

WORDS = ["data.path=x", "loss.color_classes=1", "model.norm=none", "model.pretrained=false"]
STAGES = "train.stages=[{crop: 64, bs: 4, epochs: 1, lr: 1e-3}]"


@pytest.fixture
def model(tmp_path):
    """The file of an untrained model with colours to choose from."""
    config = load_config(Config, None, [*WORDS, "model.encoder=resnet18", "model.attention=false", STAGES])
    line = torch.arange(-40.0, 41, 20)
    network = get_model(config.model, 64, (torch.cartesian_prod(line, line), torch.ones(25)))
    torch.nn.init.normal_(network.unet.last.weight, std=1)
    save_model(tmp_path / "model.safetensors", network, config)
    return tmp_path / "model.safetensors"


@pytest.fixture
def page(browser, model, tmp_path):
    pytest.importorskip("gradio")
    from common.web.serve import open_model
    from tests.common.web.conftest import serve_page

    (tmp_path / "around").mkdir()
    args = argparse.Namespace(device="cpu", precision="auto")
    load = partial(open_model, TASK, args, {})
    with serve_page(tmp_path / "around", TASK, lambda path, other, part: load(model, None, 0.0)) as site:
        page, wrong = browser.new_page(viewport={"width": 1200, "height": 1000}), []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(site.url)
        page.wait_for_selector("#start")
        yield page
        page.close()
        assert not wrong


@pytest.fixture
def photo(tmp_path):
    """192 x 96 pixels, so that the copy on which colours are found has 128 x 64."""
    path = tmp_path / "photo.png"
    noise = np.random.default_rng(0).integers(0, 256, (24, 48, 3), np.uint8)
    Image.fromarray(noise).resize((192, 96), Image.Resampling.BICUBIC).save(path)
    return path


def pixels(page):
    """What the page shows: (96, 192, 3)."""
    address = page.get_attribute("#points img", "src")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))).astype(int)


def changed(page, do):
    """How much each pixel of the result changes in consequence of something."""
    before, address = pixels(page), page.get_attribute("#points img", "src")
    do()
    page.wait_for_function("was => document.querySelector('#points img').src !== was", arg=address)
    return np.abs(pixels(page) - before).sum(axis=2)


def at(page, x, y):
    """Where a pixel of the photo is on the page."""
    page.locator("#points img").scroll_into_view_if_needed()
    box = page.locator("#points img").bounding_box()
    return box["x"] + (x + 0.5) * box["width"] / 192, box["y"] + (y + 0.5) * box["height"] / 96


def drag(page, start, end):
    page.mouse.move(*at(page, *start))
    page.mouse.down()
    page.mouse.move(*at(page, *end), steps=4)
    page.mouse.up()


def test_a_visitor_says_which_colours_are_where(page, photo, model, tmp_path):
    page.set_input_files("#photos input[type=file]", str(photo))
    page.wait_for_selector("#points img", state="visible")
    assert not page.is_visible("#points .choice")
    assert page.locator("label", has_text="Hints").count() == 0  # no field for a file

    page.mouse.click(*at(page, 30, 45))
    page.wait_for_selector("#points .swatches button")
    swatches = page.locator("#points .swatches button")
    colors = [swatch.get_attribute("title") for swatch in swatches.all()]
    assert 1 < len(set(colors)) <= 5
    assert np.allclose(ab_of(colors[0]) / 20, (ab_of(colors[0]) / 20).round(), atol=0.35)  # a centre, if sRGB has it
    change = changed(page, lambda: swatches.last.click())
    assert change[20:70, 5:55].mean() > 3 * change[:, 130:].mean()

    page.mouse.click(*at(page, 160, 20))
    page.wait_for_function("document.querySelectorAll('#points .point').length === 2")
    picker = page.locator("#points input[type=color]")
    picker.fill("#2040e0")
    change = changed(page, lambda: picker.dispatch_event("change"))
    assert change[:, 130:].mean() > 3 * change[:, :60].mean()
    change = changed(page, lambda: drag(page, (160, 20), (160, 80)))
    assert change[:, 130:].mean() > 3 * change[:, :60].mean()

    page.mouse.click(*at(page, 90, 50))
    page.wait_for_function("document.querySelectorAll('#points .point').length === 3")
    changed(page, lambda: picker.evaluate("(e) => { e.value = '#00ff00'; e.dispatchEvent(new Event('change')); }"))
    changed(page, lambda: page.click("#points .delete"))
    assert page.locator("#points .point").count() == 2

    page.click("#start")
    page.wait_for_selector("#messages >> text=1 of 1 photos")
    for link in page.locator("#result a[download]").all():
        with page.expect_download() as waiting:
            link.click()
        waiting.value.save_as(tmp_path / "got" / waiting.value.suggested_filename)
    hints = json.loads((tmp_path / "got/hints.json").read_text())
    assert [hint["color"] for hint in hints] == [colors[-1], "#2040e0"]
    assert np.allclose([(hint["x"], hint["y"]) for hint in hints], [(30, 45), (160, 80)], atol=1)
    words = (model, photo, "--hints", tmp_path / "got/hints.json", "-o", tmp_path / "expected")
    done = run("colorize.predict", *words)
    assert done.returncode == 0, done.stderr
    got, expected = (np.asarray(Image.open(tmp_path / folder / "photo.png")) for folder in ("got", "expected"))
    assert np.array_equal(got, expected)
    plain = run("colorize.predict", model, photo, "-o", tmp_path / "plain")
    assert plain.returncode == 0
    assert not np.array_equal(np.asarray(Image.open(tmp_path / "plain/photo.png")), expected)


def test_another_photo_has_no_points_and_several_have_none_to_click_on(page, photo, photos):
    page.set_input_files("#photos input[type=file]", str(photo))
    page.wait_for_selector("#points img", state="visible")
    page.mouse.click(*at(page, 30, 45))
    page.wait_for_selector("#points .swatches button")
    page.locator("#points .swatches button").first.click()
    page.click("#photos button[aria-label=Clear]")
    page.wait_for_selector("#points img", state="hidden")
    page.set_input_files("#photos input[type=file]", str(photos / "0.png"))
    page.wait_for_selector("#points img", state="visible")
    assert page.locator("#points .point").count() == 0
    page.click("#photos button[aria-label=Clear]")
    page.wait_for_selector("#points img", state="hidden")
    page.set_input_files("#photos input[type=file]", [str(photos / "0.png"), str(photos / "1.png")])
    page.wait_for_function("document.querySelectorAll('#photos tr.file').length === 2")
    page.click("#start")
    page.wait_for_selector("#messages >> text=2 of 2 photos")
    assert not page.is_visible("#points img")
