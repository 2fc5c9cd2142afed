import os
import shutil
from functools import partial
from pathlib import Path
from unicodedata import normalize

import pytest
from PIL import Image

import common.batches.folders
from common.batches import folders
from common.batches.folders import find_photos, keep_usable_photos, sample_photos, split_photos
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


def test_a_split_by_part_is_the_same_for_the_same_seed(photos):
    paths = find_photos(photos)
    train, valid = split_photos(paths, 0.3, seed=1, folder=photos)
    assert sorted(train + valid) == paths
    assert split_photos(paths, 0.3, seed=1, folder=photos) == (train, valid)
    assert any(split_photos(paths, 0.3, seed=seed, folder=photos) != (train, valid) for seed in range(2, 6))


def names(n, folder=Path("x")):
    return [folder / f"album/{i:04}.jpg" for i in range(n)]


def test_photos_that_come_or_go_move_no_other_to_the_other_side():
    before = set(split_photos(names(1000), 0.1, seed=0, folder=Path("x")).held_out)
    assert 70 < len(before) < 130  # a hundred, give or take three standard deviations
    more = [Path("x/0.jpg"), Path("x/new/0.jpg"), *names(1500)]
    assert set(split_photos(more, 0.1, seed=0, folder=Path("x")).held_out) & set(names(1000)) == before
    fewer = names(1000)[::3]
    assert set(split_photos(fewer, 0.1, seed=0, folder=Path("x")).held_out) == before & set(fewer)


def test_a_split_does_not_depend_on_where_the_folder_is():
    here, there = Path("/here"), Path("/there/photos")
    held_out = split_photos(names(99, here), 0.2, seed=0, folder=here).held_out
    moved = split_photos(names(99, there), 0.2, seed=0, folder=there).held_out
    assert [path.relative_to(here) for path in held_out] == [path.relative_to(there) for path in moved]


@pytest.mark.parametrize("part", [1e-9, 0.5, 1 - 1e-9])
@pytest.mark.parametrize("n", [2, 3, 11])
def test_a_split_by_part_leaves_a_photo_on_each_side(part, n):
    for seed in range(20):
        train, held_out = split_photos(names(n), part, seed, Path("x"))
        assert train
        assert held_out
        if n > 2:
            assert (len(held_out) == 1, len(train) == 1) == (part == 1e-9, part == 1 - 1e-9) or part == 0.5


def test_photos_that_are_the_same_go_to_one_side_with_a_line(caplog):
    folder, paths = Path("x"), names(40)
    _, held_out = split_photos(paths, 0.3, seed=0, folder=folder)
    assert len(held_out) > 2
    pair = [next(path for path in paths if path not in held_out), held_out[0]]
    train, fewer = split_photos(paths, 0.3, seed=0, folder=folder, doubles=[pair])
    assert fewer == held_out[1:]
    assert set(pair) <= set(train)
    one, other = sorted(path.relative_to(folder).as_posix() for path in pair)
    assert caplog.messages == [
        f"WARNING: photos that are the same would be held out and trained on: {one} = {other}: all of them are "
        "trained on"
    ]
    _, named = split_photos(paths, [pair[0].name], seed=0, folder=folder, doubles=[pair])
    assert named == sorted(pair)
    assert caplog.messages[1].endswith("all of them are held out")
    caplog.clear()
    split_photos(paths, 0.3, seed=0, folder=folder, doubles=[held_out])  # together already
    assert caplog.messages == []


def test_a_folder_of_one_photo_in_many_copies_is_split_all_the_same_and_says_so(caplog):
    train, held_out = split_photos(names(6), 0.3, seed=0, folder=Path("x"), doubles=[names(6)])
    assert len(train) + len(held_out) == 6
    assert caplog.messages == [
        "WARNING: photos that are the same would be held out and trained on: album/0000.jpg = album/0001.jpg = "
        "album/0002.jpg = ...: they are, since all photos look alike"
    ]


def test_a_split_by_names_and_patterns(photos):
    (photos / "test").mkdir()
    (photos / "0.png").rename(photos / "test" / "0.png")
    (photos / "1.png").rename(photos / "a [1].png")
    _, valid = split_photos(find_photos(photos), ["test/*", "3.png", "a [1].png"], seed=0, folder=photos)
    assert [path.name for path in valid] == ["3.png", "a [1].png", "0.png"]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_match_in_either_form_of_unicode(tmp_path, form):
    """Macs write é as two characters, keyboards as one."""
    paths = [tmp_path / normalize(form, "café") / f"{i}é.png" for i in range(3)]
    for pattern in ("café/0é.png", "c*é/0?.png", "0é.png"):
        for written in (normalize("NFC", pattern), normalize("NFD", pattern)):
            assert split_photos(paths, [written], 0, tmp_path).held_out == paths[:1]


def test_names_are_drawn_alike_in_both_forms_of_unicode():
    forms = [[Path("x", normalize(form, f"é{i}.jpg")) for i in range(200)] for form in ("NFC", "NFD")]
    one, other = (split_photos(paths, 0.3, 0, Path("x")).held_out for paths in forms)
    assert [path.name for path in one] == [normalize("NFC", path.name) for path in other]


@pytest.mark.parametrize(("valid", "message"), [
    (["7.png"], "'7.png' matches no photo"),
    (["*"], "0 are left to train on and 6 are held out"),
])  # fmt: skip
def test_impossible_splits_are_errors(photos, valid, message):
    with pytest.raises(UserError, match=message):
        split_photos(find_photos(photos), valid, seed=0, folder=photos)


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
