import os
import shutil
from functools import partial

import pytest
from PIL import Image

import common.batches.folders
from common.batches import folders
from common.batches.folders import find_photos, keep_usable_photos, sample_photos
from common.photos.flat import open_photo_for_crops
from common.runtime.errors import UserError
from tests.commands import posix_only


def test_photos_are_found_recursively_in_order_and_other_files_counted(photos, caplog):
    caplog.set_level("INFO")
    (photos / "deep" / "er").mkdir(parents=True)
    (photos / "0.png").rename(photos / "deep" / "er" / "a.PNG")
    (photos / "notes.txt").write_text("x")
    (photos / ".hidden.jpg").write_text("x")
    names = [str(path.relative_to(photos)) for path in find_photos(photos)]
    assert names == ["1.png", "2.png", "3.png", "4.png", "5.png", "deep/er/a.PNG"]
    assert "other files left out: 2" in caplog.text


@posix_only
def test_links_that_lead_back_and_hidden_folders_add_nothing(photos):
    (photos / "loop").symlink_to(photos)
    (photos / ".thumbs").mkdir()
    (photos / "0.png").rename(photos / ".thumbs" / "0.png")
    assert [path.name for path in find_photos(photos)] == ["1.png", "2.png", "3.png", "4.png", "5.png"]


@pytest.mark.parametrize(("make", "message"), [
    (lambda path: None, "no such folder of photos"),
    (lambda path: path.write_text("x"), "is a file, not a folder of photos"),
    (lambda path: path.mkdir(), "no photos in this folder"),
])  # fmt: skip
def test_a_folder_without_photos_is_an_error(tmp_path, make, message):
    make(tmp_path / "x")
    with pytest.raises(UserError, match=message):
        find_photos(tmp_path / "x")


def test_unusable_photos_get_a_line_each_and_a_count(photos, caplog):
    (photos / "0.png").write_bytes(b"")
    (photos / "1.png").write_text("text")
    Image.new("RGB", (80, 20)).save(photos / "2.png")
    usable = keep_usable_photos(find_photos(photos), partial(open_photo_for_crops, min_side=64))
    assert [path.name for path in usable] == ["3.png", "4.png", "5.png"]
    lines = [line for line in caplog.messages if line.startswith("skipped")]
    assert len(lines) == 3
    assert "2.png: 80 x 20 px, smaller than the 64 px crop" in lines[2]
    assert "3 of 6 photos skipped" in caplog.text


def test_a_reason_that_comes_often_is_counted(photos, caplog):
    (photos / "0.png").write_bytes(b"")
    (photos / "1.png").write_bytes(b"")
    Image.new("RGB", (80, 20)).save(photos / "2.png")
    keep_usable_photos(find_photos(photos), partial(open_photo_for_crops, min_side=64))
    assert caplog.messages[-1] == "3 of 6 photos skipped (the file is empty: 2)"


def test_a_folder_without_a_usable_photo_is_an_error(photos):
    with pytest.raises(UserError, match="none of 6 photos is usable"):
        keep_usable_photos(find_photos(photos), partial(open_photo_for_crops, min_side=512))


def test_in_large_folders_only_the_first_are_decoded_at_the_start(photos, monkeypatch):
    monkeypatch.setattr(folders, "CHECKED_AT_START", 2)
    (photos / "0.png").write_bytes(b"")
    (photos / "5.png").write_bytes(b"")
    assert [path.name for path in keep_usable_photos(find_photos(photos))] == [
        "1.png",
        "2.png",
        "3.png",
        "4.png",
        "5.png",
    ]


def test_the_sample_photos_are_installed_and_usable():
    paths = sample_photos()
    assert len(keep_usable_photos(paths, partial(open_photo_for_crops, min_side=300))) == len(paths) == 11


def test_photos_of_phones_are_named_where_they_cannot_be_read(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(common.batches.folders, "READABLE_SUFFIXES", (".png",))
    for name in ("a.png", "b.HEIC", "c.txt", "d.jxl"):
        (tmp_path / name).write_text("x")
    assert find_photos(tmp_path) == [tmp_path / "a.png"]
    assert f"{tmp_path}: HEIC photos left out: 1 (to read them: pip install pillow-heif)" in caplog.messages
    assert f"{tmp_path}: JPEG XL photos left out: 1 (save them in another format)" in caplog.messages


def test_folders_of_runs_are_no_photos_to_train_on(photos, caplog):
    caplog.set_level("INFO")
    expected = find_photos(photos)
    for run, files in (("runs/a", ("config.yaml", "environment.json")), ("runs/study", ("study.yaml", "photos.json"))):
        (photos / run / "pictures").mkdir(parents=True)
        for name in files:
            (photos / run / name).write_text("x")
        shutil.copy(expected[0], photos / run / "comparison.png")
        shutil.copy(expected[0], photos / run / "pictures/epoch_001.png")
    assert find_photos(photos) == expected
    assert f"{photos / 'runs/a'}: left out, the folder of a run or of its results" in caplog.messages
    assert len(find_photos(photos / "runs/a")) == 2  # asked for by name


@posix_only
def test_what_only_looks_like_a_file_gets_a_line(photos, caplog):
    expected = find_photos(photos)
    (photos / "link.png").symlink_to(photos / "nothing.png")
    os.mkfifo(photos / "pipe.png")
    assert find_photos(photos) == expected
    assert sorted(caplog.messages) == [
        f"skipped {photos / name}: a broken link, or not a regular file" for name in ("link.png", "pipe.png")
    ]


def test_folders_that_systems_fill_and_second_links_are_left_out(photos, tmp_path, caplog):
    expected = find_photos(photos)
    for name in ("@eaDir", "__MACOSX"):
        (photos / name).mkdir()
        shutil.copy(expected[0], photos / name / "thumbnail.png")
    assert find_photos(photos) == expected


@posix_only
def test_of_two_links_to_one_folder_the_first_by_name_counts(photos, tmp_path):
    (tmp_path / "links").mkdir()
    for name in ("b", "a", "c"):
        (tmp_path / "links" / name).symlink_to(photos)
    assert {path.parent.name for path in find_photos(tmp_path / "links")} == {"a"}


def test_a_folder_that_cannot_be_read_gets_a_line(photos, monkeypatch, caplog):
    (photos / "closed").mkdir()
    scan = os.scandir

    def refuse(path):
        if os.fspath(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert len(find_photos(photos)) == 6
    assert caplog.messages == [f"skipped {photos / 'closed'}: the folder cannot be read (Permission denied)"]
