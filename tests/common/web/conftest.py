"""A page in the tests' own process, with a model that turns photos into negatives."""

import argparse
import warnings
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from common.config.sections import TaskConfig
from common.task import Option, Points, Task, Use

OPTIONS = [
    Option("strength", float, 1.0, 0.0, 1.0, "how much"),
    Option("notes", Path, None, None, None, "a file of points"),
]


def make_task(enhance, **fields):
    """A Task whose results are enhance(photo)."""
    use = Use(
        load=lambda path: torch.nn.Identity(),
        model_class=torch.nn.Identity,
        enhance=lambda model, photo, tile, **options: enhance(photo),
        enhance_together=lambda model, photos, **options: [enhance(photo) for photo in photos],
    )
    return Task(
        name="x", title="Test", config=TaskConfig, demo="", use=lambda: use, training=None, measuring=None,
        higher_is_better={}, **fields,
    )  # fmt: skip


def with_points(task, suggest=lambda model, photo, place, **options: ["#ff0000", "#00ff00"]):
    """(the task, whose option `notes` takes points; a list to which each call of its `enhance` adds the options)."""
    given, plain = [], task.use()

    def enhance(model, photo, tile, **options):
        given.append(options)
        return plain.enhance(model, photo, tile=tile)

    def read(values):
        return [(value["x"], value["y"], value["color"]) for value in values]

    use = replace(plain, enhance=enhance, points=Points("notes", lambda model: True, read, suggest))
    return replace(task, use=lambda: use), given


def open_nothing(path, other, part):
    """A model of no file."""
    return torch.nn.Identity()


@contextmanager
def serve_page(around, task=None, load=open_nothing, **options):
    """Serves a page below the folder `around`, beside one that is not the page's; options: of the command line."""
    pytest.importorskip("gradio")
    from common.web.page import Page
    from common.web.serve import build, launch
    from common.web.visitors import Visitors

    folder, beside, models = around / "page", around / "beside", around / "models"
    for path in (folder, beside, models):
        path.mkdir()
    (beside / "precious.txt").write_text("precious")
    (models / "secret.safetensors").write_text("weights")

    task = task or make_task(lambda rgb: 255 - rgb, options=OPTIONS)
    args = {"host": "127.0.0.1", "port": None, "share": False, "auth": None, "root_path": None, "max_megabytes": 0.1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            models = {"secret": models / "secret.safetensors"}
            page = Page(task, models, Visitors(folder), load, megapixels=1, photos=4)
            blocks = build(page)
            url = launch(page, blocks, argparse.Namespace(**{**args, **options})).rstrip("/")
        yield SimpleNamespace(url=url, folder=folder, beside=beside, around=around, page=page, blocks=blocks, said=said)
        blocks.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """A running page: its address, the folder of its files, a folder beside, its models."""
    with serve_page(tmp_path_factory.mktemp("around"), root_path="/enhance") as site:
        yield site


@pytest.fixture
def closed_site(tmp_path):
    """One that asks for a password."""
    with serve_page(tmp_path, auth=("me", "a secret")) as site:
        yield site


@pytest.fixture
def pointed_site(tmp_path):
    """One whose model takes points; `given` has the options of each photo that was enhanced."""
    task, given = with_points(make_task(lambda rgb: 255 - rgb, options=OPTIONS))
    with serve_page(tmp_path, task) as site:
        site.given = given
        yield site


@pytest.fixture
def make_visitor(site, monkeypatch):
    """A function that makes visitors with a session each, or with one that they give themselves."""
    from tests.common.web.visitor import Visitor, values_of

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(site.folder))  # gradio asks at each request, and other pages set it too
    values = values_of(site)
    return lambda session=None: Visitor(site.url, values, session)


@pytest.fixture
def visitor(make_visitor):
    return make_visitor()
