"""The pages as people see them: in headless Chromium, from disk."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image

from common.batches.folders import PhotoSplit
from common.config.losses import LossConfig
from common.config.sections import StageConfig, TaskConfig, TrainConfig
from common.evaluation.gallery import Candidate, show_photos, write_gallery
from common.evaluation.grid import save_grid
from common.evaluation.report import evaluate_photos, write_evaluation_page
from common.inference.room import times
from common.pages.page import MAX_BYTES
from common.runs.page import write_run_page
from common.studies.report import write_study_page
from common.studies.study import SavedStudy

RED, GREEN, BLUE = ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0))


@pytest.fixture
def open_page(browser):
    """A function that opens a file; whatever the page complains of fails the test at its end."""
    complaints, opened = [], []

    def open_page(path, width=1180, color_scheme="light"):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=color_scheme)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.extend([request.url] * request.url.startswith("http")))
        page.goto(path.as_uri())
        opened.append(page)
        return page

    yield open_page
    for page in opened:
        page.close()
    assert not complaints


def plain(color, side=64):
    return torch.tensor(color)[:, None, None].expand(3, side, side)


def make_results(**pictures):
    """Of three photos, 'b' the worst."""
    table = [("a <b>", 30.0), ("b", 20.0), ("c", 40.0)]
    scores = dict(table)

    def measure(path):
        figures = {f"{name} PSNR-Y": scores[path.name] + i for i, name in enumerate(pictures) if name != "target"}
        return figures, {name: plain(color) for name, color in pictures.items()}

    return evaluate_photos([Path(name) for name, _ in table], measure, None)


def make_run(folder, epochs, side=64, columns=None):
    """The files of a run's folder that its page is made of; the prediction is as bright as its epoch is late."""
    folder.mkdir(parents=True)
    rows = {"epoch": range(1, epochs + 1), "stage": 1, "train_loss": 0.5, "valid_loss": np.linspace(2, 1, epochs)}
    rows |= {"psnr_y": np.linspace(20, 30, epochs), "l1": 0.3, "ssim": 0.2, "seconds": 1.5}
    pd.DataFrame(rows).to_csv(folder / "history.csv", index=False)
    stages = [{"crop": 64, "bs": 8, "epochs": epochs, "lr": 1e-3, "frozen": False}]
    config = {"train": {"stages": stages}, "loss": {"vgg": "random", "l1": 1, "ssim": 0.1, "mse": 0}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    start = {
        "task": "superres", "time": "2026-11-25 12:00:00", "processes": 1, "python": "3.11", "device": "cpu",
        "packages": {"torch": "2.14"}, "git_commit": None, "keys": {"loss.l1": 1.0, "train.stages": stages},
    }  # fmt: skip
    (folder / "environment.json").write_text(json.dumps([start]))
    (folder / "photos.json").write_text(json.dumps({"train": ["1.png", "2.png"], "held out": ["0.png"]}))
    lines = ["2026-11-25 12:00:00,123 skipped x/<y>.png: truncated", "2026-11-25 12:00:01,123 fine"]
    (folder / "log.txt").write_text("\n".join(lines))
    (folder / "pictures").mkdir()
    for epoch in range(1, epochs + 1):
        pictures = columns(epoch) if columns else {"input": [plain(RED)], "prediction": [plain([epoch / epochs] * 3)]}
        save_grid(folder / f"pictures/epoch_{epoch:03}.png", pictures)
    return folder


def color_at(page, selector, x=0.5, y=0.4):
    """The colour of an element, at a part of its width and height, rounded to 0, 127 or 255."""
    with Image.open(io.BytesIO(page.locator(selector).first.screenshot())) as shot:
        pixel = np.array(shot.convert("RGB").getpixel((int(x * shot.width), int(y * shot.height))))
    return tuple(int(value) for value in (pixel / 127.5).round() * 127.5)


def test_the_slider_over_a_photo_shows_more_of_one_or_of_the_other(tmp_path, open_page):
    write_evaluation_page(tmp_path, make_results(bicubic=RED, prediction=BLUE, target=GREEN), "runs/x", "3 photos")
    page = open_page(tmp_path / "report.html")
    assert page.locator(".compare figcaption").all_inner_texts()[0].startswith("b\n")  # the worst comes first
    assert page.locator(".compare").nth(1).get_attribute("data-photo") == "a <b>"
    assert color_at(page, ".stage", x=0.25) == (255, 0, 0)
    assert color_at(page, ".stage", x=0.75) == (0, 0, 255)
    box = page.locator(".stage").first.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], middle)
    page.mouse.up()
    assert color_at(page, ".stage", x=0.75) == (255, 0, 0)
    page.keyboard.press("Home")  # of the range that has the focus now
    assert color_at(page, ".stage", x=0.25) == (0, 0, 255)
    page.locator(".compare select").nth(1).select_option("target")
    assert color_at(page, ".stage", x=0.25) == (0, 255, 0)
    assert page.locator(".stage img.under").first.get_attribute("alt") == "target of b"
    assert page.locator(".stage .name.right").first.inner_text() == "target"
    page.locator(".compare select").nth(1).select_option("prediction")
    assert color_at(page, ".stage", x=0.25) == (0, 0, 255)


def test_the_pictures_of_a_run_follow_the_slider_over_epochs(tmp_path, open_page):
    run = make_run(tmp_path / "run", 3)
    write_run_page(run, "finished", make_results(bicubic=RED, prediction=BLUE))
    page = open_page(run / "report.html")
    frame = ".epochs img:not([hidden])[data-epoch]"
    assert page.locator(".epochs output").inner_text() == "3"
    assert color_at(page, frame) == (255, 255, 255)
    page.locator(".epochs input").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.locator(".epochs output").inner_text() == "1"
    assert page.locator(".epochs input").get_attribute("aria-valuetext") == "epoch 1"
    assert color_at(page, frame) == (127, 127, 127)  # a third, rounded
    assert page.locator(".epochs img").first.get_attribute("alt") == "input of the crops"


@pytest.mark.slow
def test_a_page_being_written_reads_itself_again_until_training_ends(tmp_path, open_page):
    run = make_run(tmp_path / "run", 2)
    write_run_page(run, "training", reload_seconds=1)
    page = open_page(run / "report.html")
    assert "training" in page.locator("p").first.inner_text()
    write_run_page(run, "finished")
    page.wait_for_function("document.querySelector('p').innerText.includes('finished')", timeout=5000)
    assert "location.reload" not in page.content()


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1180, 360])
def test_pages_fit_phones_and_follow_the_color_scheme(tmp_path, open_page, width, color_scheme):
    run = make_run(tmp_path / "run", 4)
    write_run_page(run, "finished", make_results(bicubic=RED, prediction=BLUE))
    page = open_page(run / "report.html", width, color_scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    text = page.evaluate("getComputedStyle(document.querySelector('svg .tick')).fill")
    darker, lighter = (sum(map(int, color[4:-1].split(","))) for color in (background, text))
    assert (darker < lighter) == (color_scheme == "dark")
    assert page.locator("img:not([alt])").count() == 0
    assert page.locator("svg:not([aria-label])").count() == 0
    assert page.locator("svg").count() == 4  # loss, terms, PSNR, learning rate


def test_the_page_of_a_study_sorts_and_compares_any_two(tmp_path, open_page):
    results = make_results(bicubic=RED, l1=BLUE, ssim=GREEN, target=RED)
    names, stages = ("l1", "ssim", "wild"), [StageConfig(crop=32, bs=1, epochs=3, lr=1e-3)]
    config = TaskConfig(data={}, model={}, loss=LossConfig(l1=1, ssim=1), train=TrainConfig(stages=stages), output={})
    for name in names:
        make_run(tmp_path / name, 3)
    results.table.to_csv(tmp_path / "results.csv")
    study = SavedStudy(
        task="superres", name="losses", command=["python"], vgg=None, lpips=None,
        variants={"l1": {}, "ssim": {"loss.ssim": 1}, "wild": {}},
    )  # fmt: skip
    photos = PhotoSplit([tmp_path / "1.png"], [tmp_path / "0.png"])
    write_study_page(
        study, dict.fromkeys(names, config), photos, tmp_path, results, {"PSNR-Y": True}, ["wild"], ["a note"]
    )
    page = open_page(tmp_path / "report.html")

    def first_column():
        return page.locator("tbody").first.locator("tr td:first-child").all_inner_texts()

    assert first_column() == ["bicubic", "l1", "ssim", "wild"]
    assert page.locator("td.best").all_inner_texts() == ["32.00"]
    page.get_by_role("button", name="PSNR-Y ↑").click()
    assert first_column() == ["ssim", "l1", "bicubic", "wild"]
    page.get_by_role("button", name="PSNR-Y ↑").click()
    assert first_column() == ["bicubic", "l1", "ssim", "wild"]
    assert page.locator("th[aria-sort=ascending]").count() == 1
    assert page.locator("svg").count() == 2  # PSNR over steps and over minutes
    assert color_at(page, ".stage", x=0.25) == (0, 0, 255)
    assert color_at(page, ".stage", x=0.75) == (0, 255, 0)
    page.locator(".compare select").first.select_option("bicubic")
    assert color_at(page, ".stage", x=0.25) == (255, 0, 0)


def test_the_page_of_a_gallery_chooses_two_models_for_all_pictures_or_for_one(tmp_path, open_page):
    def paint(color):
        return lambda photo, **_: np.full((60, 60, 3), [255 * value for value in color], np.uint8)

    candidates = [Candidate(name, paint(color), 1.0, None) for name, color in (("a", RED), ("b", BLUE))]
    for name in ("first.png", "second.png"):
        Image.new("RGB", (30, 30)).save(tmp_path / name)
    paths = [tmp_path / "first.png", tmp_path / "second.png"]
    shown = show_photos(paths, candidates, lambda photo: ("grey", paint(GREEN)(photo)), times(2), {})
    write_gallery(tmp_path / "page.html", "Which model?", "a machine", candidates, shown)
    page = open_page(tmp_path / "page.html", width=400)

    def colors():
        return [color_at(page, f".compare >> nth={i} >> .stage", x) for i in (0, 1) for x in (0.25, 0.75)]

    red, green, blue = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    assert colors() == [red, blue, red, blue]
    page.locator(".all select").nth(1).select_option("grey")
    assert colors() == [red, green, red, green]
    page.locator(".compare select").first.select_option("b")
    assert colors() == [blue, green, red, green]
    page.locator(".compare input").nth(1).focus()
    page.keyboard.press("End")
    assert colors() == [blue, green, red, red]
    page.locator(".all select").first.select_option("b")
    assert colors() == [blue, green, blue, blue]
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


@pytest.mark.slow
def test_a_long_runs_page_can_be_mailed(tmp_path):
    """50 epochs, and pictures with more detail than photos have."""
    generator = torch.Generator().manual_seed(0)

    def columns(_):
        noise = torch.rand(4, 3, 64, 64, generator=generator)
        large = torch.nn.functional.interpolate(noise, size=(256, 256), mode="bilinear")
        return {name: list(large) for name in ("input", "bicubic", "prediction", "target")}

    run = make_run(tmp_path / "run", 50, columns=columns)
    path = write_run_page(run, "finished", make_results(bicubic=RED, prediction=BLUE))
    assert path.stat().st_size < MAX_BYTES
    text = path.read_text()
    assert text.count("data-epoch=") >= 8
    assert 'data-epoch="1"' in text
    assert 'data-epoch="50"' in text
    assert "x/&lt;y&gt;.png: truncated" in text
    assert " fine" not in text
    assert "best: epoch 50" in text
    assert f"--resume {run}" in text
