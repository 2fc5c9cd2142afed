import shutil
import tarfile
from pathlib import Path

import pytest
from fastai.data import external

from common.batches.fastai_sets import fetch_photos
from common.batches.folders import find_photos
from common.runtime.errors import UserError


@pytest.fixture
def pets(tmp_path, photos, monkeypatch):
    """An archive like that of PETS, with pictures in `images` and in `annotations`, and a home for what is fetched."""
    for name in ("images", "annotations"):
        shutil.copytree(photos, tmp_path / f"oxford-iiit-pet/{name}")
    archive = tmp_path / "oxford-iiit-pet.tgz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(tmp_path / "oxford-iiit-pet", "oxford-iiit-pet")
    monkeypatch.setattr(external.URLs, "PETS", archive.as_uri())
    monkeypatch.setenv("FASTAI_HOME", str(tmp_path / "home"))
    external.fastai_cfg.cache_clear()
    yield archive
    external.fastai_cfg.cache_clear()


def test_a_data_set_is_fetched_once(pets, tmp_path):
    folder = fetch_photos(Path("fastai:PETS"))
    assert folder == tmp_path / "home/data/oxford-iiit-pet/images"
    assert len(find_photos(folder)) == 6
    pets.unlink()
    (tmp_path / "home/archive/oxford-iiit-pet.tgz").unlink()
    assert fetch_photos(Path("fastai:PETS")) == folder
    assert fetch_photos(Path("fastai:PETS/annotations")) == folder.parent / "annotations"


def test_without_a_network_it_says_how_to_go_on(pets):
    pets.unlink()
    with pytest.raises(UserError, match=r"fastai:PETS: cannot be fetched .*Fetch file://.*pet.tgz on another machine"):
        fetch_photos(Path("fastai:PETS"))


def test_other_paths_and_wrong_names(tmp_path):
    assert fetch_photos(tmp_path) == tmp_path
    with pytest.raises(UserError, match="did you mean 'PETS'"):
        fetch_photos(Path("fastai:pets"))
    with pytest.raises(UserError, match="such as fastai:PETS"):
        fetch_photos(Path("fastai:S3_IMAGE/x"))
