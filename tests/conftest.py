"""Fixtures: a folder of small photos, and the oracle data that may stand beside the project."""

import logging
import os
import shutil
from pathlib import Path

# Tests run in two processes (pyproject.toml), and so do the commands that they start: each takes one core.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest  # torch is imported below: xdist's first process, which runs no tests, has no need of it

SHARED = Path(__file__).parent.parent.parent / "shared"


def pytest_addoption(parser):
    parser.addoption("--every", action="store_true", help="every case of long tables, not one of each kind")
    parser.addoption("--rewrite", action="store_true", help="write tests/hostile.txt as the program words it now")


def pytest_collection_modifyitems(config, items):
    """The files with slow tests go first, so that neither of the two processes waits for the other at the end."""
    if not config.getoption("--every"):
        items[:] = [item for item in items if not item.get_closest_marker("every")]
    slow_files = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow_files)


@pytest.fixture(scope="session", autouse=True)
def nothing_downloaded(tmp_path_factory):
    """An empty cache of torch's, here and in processes that tests start: no test depends on what a machine has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(tmp_path_factory.mktemp("torch")))
        patch.setenv("MPLCONFIGDIR", str(Path.home() / ".cache/matplotlib"))  # else it looks for all fonts anew
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))  # of decoded photos
        yield


@pytest.fixture(scope="session", autouse=True)
def narrow_networks():
    """A ResNet18 is of width 4, here and in commands that tests start with `run`."""
    from tests.narrow import narrow

    with narrow():
        yield


@pytest.fixture(scope="session", autouse=True)
def trained_in_fp32():
    """No CPU is faster in bf16, here and in commands that tests start with `run`."""
    from tests.trials import trials_that_find

    with trials_that_find(1.0):
        yield


@pytest.fixture(scope="module")
def wide():
    """A ResNet18 is torchvision's."""
    from tests.narrow import not_narrow

    with not_narrow():
        yield


@pytest.fixture(autouse=True)
def seeded():
    import torch

    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def log_closed():
    """After each test: a command that runs in the tests' own process leaves the log of its run folder open."""
    yield
    from common.runtime.messages import RUN_LOG

    for handler in [handler for handler in logging.getLogger().handlers if handler.name == RUN_LOG]:
        logging.getLogger().removeHandler(handler)
        handler.close()


@pytest.fixture(scope="session")
def shared():
    """The folder with benchmark pictures and VGG weights beside a checkout; tests that need it are skipped without."""
    if not SHARED.is_dir():
        pytest.skip("../shared is not here")
    return SHARED


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium, by playwright; tests that need it are skipped without.

    It ends with its module: a loading process that a later test forks would hold the pipe by which playwright ends.
    """
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium here (Debian: apt-get install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def photos(tmp_path):
    """A folder of six 80 x 72 colour photos, cut from sample photos."""
    from PIL import Image

    from common.batches.folders import sample_photos

    folder = tmp_path / "photos"
    folder.mkdir()
    for i, path in enumerate(sample_photos()[:6]):
        Image.open(path).convert("RGB").crop((100, 100, 180, 172)).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def noise():
    """(2, 3, 64, 48) in [0, 1]."""
    import torch

    return torch.rand(2, 3, 64, 48)


@pytest.fixture
def picture():
    """(70, 90, 3) uint8: smooth, with a hard edge."""
    import numpy as np

    y, x = np.mgrid[:70, :90]
    return np.stack([2 * x, 3 * y, 255 * (x > 45)], axis=2).astype(np.uint8)
