"""Photos kept decoded on the disk."""

import os
import pickle
import time
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from common.batches import store as stores
from common.batches.store import TILE, PhotoStore, StoredPhoto, find_store, whole, write_tiles
from common.config.yaml_file import load_config
from common.photos.flat import open_photo, open_photo_for_crops
from common.runtime.errors import UserError
from superres.config import Config
from superres.data import get_dls, get_photos


@pytest.fixture
def photo(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (2 * TILE + 30, TILE + 7, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png", pixels


def wait_for(store):
    """Until it has written what it was given."""
    deadline = time.monotonic() + 10
    while store.writing:
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.parametrize(
    "box", [(0, 0, 1, 1), (10, 20, 74, 84), (200, 200, 263, 542), (TILE - 1, TILE - 1, TILE + 1, TILE + 1)]
)
def test_a_window_has_the_pixels_of_the_photo(photo, tmp_path, box):
    path, pixels = photo
    store = PhotoStore(open_photo, tmp_path / "kept")
    assert isinstance(store(path), Image.Image)  # it was just decoded
    wait_for(store)
    kept = store(path)
    assert isinstance(kept, StoredPhoto)
    assert (kept.width, kept.height) == (TILE + 7, 2 * TILE + 30)
    left, top, right, bottom = box
    assert np.array_equal(np.asarray(kept.crop(box)), pixels[top:bottom, left:right])
    assert np.array_equal(np.asarray(whole(kept)), pixels)


@pytest.mark.parametrize("left", [0, 10, 1000])
def test_what_a_power_cut_left_is_decoded_anew(photo, tmp_path, left):
    path, pixels = photo
    store = PhotoStore(open_photo, tmp_path / "kept")
    store(path)
    wait_for(store)
    kept = store.file_of(path)
    os.truncate(kept, left)
    assert np.array_equal(np.asarray(whole(store(path))), pixels)
    wait_for(store)
    assert np.array_equal(np.asarray(whole(PhotoStore(open_photo, tmp_path / "kept")(path))), pixels)
    assert kept.stat().st_size > pixels.size


def test_a_photo_is_decoded_once_by_all_that_share_the_folder(photo, tmp_path):
    path, _ = photo
    opened = []

    def open_and_note(path):
        opened.append(path)
        return open_photo(path)

    for _ in range(2):
        store = PhotoStore(open_and_note, tmp_path / "kept")
        store(path), store(path)
        wait_for(store)
    assert opened == [path]
    os.utime(path, ns=(0, 0))  # another time: another photo
    store(path), store(path)
    assert opened == [path, path]


def test_what_was_opened_in_another_way_is_another_file(photo, tmp_path):
    path, _ = photo
    ways = [partial(open_photo_for_crops, min_side=32), partial(open_photo_for_crops, min_side=64), open_photo]
    files = {PhotoStore(way, tmp_path).file_of(path) for way in ways}
    assert len(files) == 3
    sent = pickle.loads(pickle.dumps(PhotoStore(ways[0], tmp_path)))
    assert sent.file_of(path) == PhotoStore(ways[0], tmp_path).file_of(path)


def test_what_was_not_written_to_its_end_is_never_used(photo, tmp_path, monkeypatch):
    path, pixels = photo
    store = PhotoStore(open_photo, tmp_path / "kept")

    def stop_half_way(file, pixels):
        write_tiles(file, pixels[: TILE // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(stores, "write_tiles", stop_half_way)
    with pytest.raises(KeyboardInterrupt):
        store.write(open_photo(path), store.file_of(path))
    monkeypatch.undo()
    assert [file for file in (tmp_path / "kept").rglob("*") if file.is_file()] == []
    assert np.array_equal(np.asarray(whole(store(path))), pixels)


def test_a_full_disk_is_told_once_and_photos_are_opened_all_the_same(photo, tmp_path, monkeypatch, caplog):
    path, pixels = photo

    def refuse(file, pixels):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stores, "write_tiles", refuse)
    store = PhotoStore(open_photo, tmp_path / "kept")
    for _ in range(2):
        assert np.array_equal(np.asarray(whole(store(path))), pixels)
        wait_for(store)
    (line,) = caplog.messages
    assert "No space left on device" in line


def test_a_folder_that_cannot_be_made_is_refused(photo, tmp_path):
    path, _ = photo
    with pytest.raises(UserError, match=r"data.cache = .*photo.png/kept: cannot be made \(Not a directory\)"):
        find_store(path / "kept", open_photo, [path])


def test_what_is_kept_already_needs_no_more_of_the_disk(photo, tmp_path, monkeypatch):
    path, pixels = photo
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(stores, "free_disk", lambda folder: 4 * pixels.size)
    kept, _ = find_store("auto", open_photo, [path])
    assert [file for file in kept.folder.rglob("*") if file.is_file()] == []  # nothing before it is decided
    kept(path)
    wait_for(kept)
    monkeypatch.setattr(stores, "free_disk", lambda folder: 0)
    assert find_store("auto", open_photo, [path])[0] is not None


def test_auto_keeps_what_takes_a_quarter_of_disk_and_memory_and_no_more(photo, tmp_path, monkeypatch):
    path, pixels = photo
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(stores, "machine_memory", lambda: 4 * 10 * pixels.size)
    assert find_store("none", open_photo, [path]) == (None, 0)
    kept, needed = find_store("auto", open_photo, [path] * 10)
    assert kept is not None and kept.folder == tmp_path / "cache/perceptual-enhance/photos"
    assert needed == 10 * pixels.size
    assert find_store("auto", open_photo, [path] * 11) == (None, 11 * pixels.size)
    kept, _ = find_store(tmp_path / "mine", open_photo, [path] * 11)
    assert kept is not None and kept.folder == tmp_path / "mine"


def test_photos_that_nobody_reads_are_given_up(photo, tmp_path):
    path, _ = photo
    store = PhotoStore(open_photo, tmp_path / "kept")
    store(path)
    wait_for(store)
    stores.remove_unread_files(tmp_path / "kept")
    file = store.file_of(path)
    assert file.exists()
    os.utime(file, (time.time() - 61 * 86400, time.time()))
    stores.remove_unread_files(tmp_path / "kept")
    assert not file.exists()


def test_photos_are_kept_once_for_crops_of_all_sizes(tmp_path, photos):
    for crop in (32, 64):
        stages = f"train.stages=[{{crop: {crop}, bs: 1, epochs: 1, lr: 1e-3}}]"
        words = [f"data.path={photos}", f"data.cache={tmp_path}/kept", "loss.l1=1", "train.workers=0", stages]
        config = load_config(Config, None, words)
        dls = get_dls(get_photos(config), config, config.train.stages[0], torch.device("cpu"))
        list(dls.train), list(dls.valid)
    deadline = time.monotonic() + 10
    while len(files := list((tmp_path / "kept").rglob("*.*"))) != 6 or any(f.suffix != ".pixels" for f in files):
        assert time.monotonic() < deadline, files
        time.sleep(0.01)


def test_a_user_without_a_home_has_a_cache(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(stores.Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert stores.default_folder().is_relative_to(stores.tempfile.gettempdir())
