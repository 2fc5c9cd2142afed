"""Fixtures: a folder of small photos, and the oracle data that may stand beside the project."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

SHARED = Path(__file__).parent.parent.parent / "shared"


@pytest.fixture(scope="session", autouse=True)
def nothing_downloaded(tmp_path_factory):
    """An empty cache of torch's, here and in processes that tests start: no test depends on what a machine has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(tmp_path_factory.mktemp("torch")))
        yield


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shared():
    """The folder with benchmark pictures and VGG weights beside a checkout; tests that need it are skipped without."""
    if not SHARED.is_dir():
        pytest.skip("../shared is not here")
    return SHARED


@pytest.fixture
def photos(tmp_path):
    """A folder of six 80 x 72 colour photos, cut from sample photos."""
    from common.data.folders import sample_photos

    folder = tmp_path / "photos"
    folder.mkdir()
    for i, path in enumerate(sample_photos()[:6]):
        Image.open(path).convert("RGB").crop((100, 100, 180, 172)).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def noise():
    """(2, 3, 64, 48) in [0, 1]."""
    return torch.rand(2, 3, 64, 48)


@pytest.fixture
def picture():
    """(70, 90, 3) uint8: smooth, with a hard edge."""
    y, x = np.mgrid[:70, :90]
    return np.stack([2 * x, 3 * y, 255 * (x > 45)], axis=2).astype(np.uint8)
