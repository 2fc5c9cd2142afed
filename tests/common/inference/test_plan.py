import os
from functools import partial
from pathlib import Path
from unicodedata import normalize

import pytest
from PIL import Image

from common.batches.folders import RESULTS_MARKER, find_photos
from common.inference.plan import plan_outputs
from common.inference.work import enhance_photos
from common.runtime.errors import UserError
from common.runtime.files import check_can_write, temporary_name
from tests.commands import posix_only


def names_in(folder):
    """Of the results; the folder is marked as one of them."""
    assert (folder / RESULTS_MARKER).exists()
    return sorted(path.name for path in folder.iterdir() if path.name != RESULTS_MARKER)


def twice(pixels):
    return pixels.repeat(2, axis=0).repeat(2, axis=1)


def on_a_drive(monkeypatch, fold):
    """As if files were found under every name with the same fold(name)."""

    def exists(path, **_):
        return path.parent.is_dir() and fold(path.name) in {fold(other.name) for other in path.parent.iterdir()}

    monkeypatch.setattr(Path, "exists", exists)


def test_names_and_folders_are_kept(photos, tmp_path):
    (photos / "deep").mkdir()
    Image.new("P", (5, 5)).save(photos / "deep" / "old.gif")
    plan = plan_outputs([photos / "0.png", photos / "deep"], tmp_path / "out")
    assert [result.relative_to(tmp_path / "out").as_posix() for _, result in plan] == ["0.png", "old.png"]
    plan = plan_outputs([photos], tmp_path / "out")
    assert plan[-1][1] == tmp_path / "out" / "deep" / "old.png"
    assert enhance_photos(plan, twice) == 0
    with Image.open(tmp_path / "out" / "3.png") as result:
        assert result.size == (160, 144)


def test_a_name_and_a_format_that_contradict_each_other_are_refused(photos, tmp_path):
    with pytest.raises(UserError, match=r"a.png: --format says tif; leave one of the two out"):
        plan_outputs([photos / "0.png"], tmp_path / "a.png", suffix=".tif")
    for name, suffix in ("a.jpeg", ".jpg"), ("a.TIFF", ".tif"), ("a.png", ".png"):
        assert plan_outputs([photos / "0.png"], tmp_path / name, suffix=suffix)[0][1] == tmp_path / name


@pytest.mark.parametrize("name", ["a.gif", "a.heic", "a.AVIF", "a.jxl"])
def test_a_name_in_a_format_that_is_not_written_is_no_folder(photos, tmp_path, name):
    with pytest.raises(UserError, match=rf"-o .*{name}: pictures are written as \.jpg .*; give one of these"):
        plan_outputs([photos / "0.png"], tmp_path / name)
    (tmp_path / name).mkdir()
    assert plan_outputs([photos / "0.png"], tmp_path / name)[0][1] == tmp_path / name / "0.png"


def test_nothing_is_overwritten_unasked(photos, tmp_path):
    out = tmp_path / "out"
    enhance_photos(plan_outputs([photos / "0.png"], out), twice)
    before = (out / "0.png").read_bytes()
    with pytest.raises(UserError, match=r"out/0.png: exists; add --overwrite"):
        plan_outputs([photos], out)
    assert (out / "0.png").read_bytes() == before
    assert enhance_photos(plan_outputs([photos], out, overwrite=True), lambda pixels: pixels) == 0
    assert (out / "0.png").read_bytes() != before


def test_two_photos_of_one_name_are_refused(photos, tmp_path):
    (photos / "other").mkdir()
    (photos / "1.png").rename(photos / "other" / "0.png")
    with pytest.raises(UserError, match=r"would both become .*0\.png"):
        plan_outputs([photos / "0.png", photos / "other"], tmp_path)


def test_photos_whose_names_one_drive_tells_apart_and_another_not(tmp_path, monkeypatch):
    for name in ("Photo.png", "photo.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    assert len(plan_outputs([tmp_path / "Photo.png", tmp_path / "photo.png"], tmp_path / "out")) == 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == [RESULTS_MARKER]  # nothing is left of finding out
    on_a_drive(monkeypatch, str.casefold)
    with pytest.raises(UserError, match=r"Photo.png and .*/photo.png would both become .*/photo.png"):
        plan_outputs([tmp_path / "Photo.png", tmp_path / "photo.png"], tmp_path / "out", overwrite=True)


def test_two_photos_whose_names_differ_in_unicodes_form_alone(tmp_path, monkeypatch):
    pair = [tmp_path / normalize(form, "é.png") for form in ("NFC", "NFD")]
    for path in pair:
        Image.new("RGB", (8, 8)).save(path)
    plan = plan_outputs(pair, tmp_path / "out")
    assert [result.name for _, result in plan] == [path.name for path in pair]
    (tmp_path / "out" / pair[0].name).touch()  # the batch was stopped, and goes on
    assert plan_outputs(pair, tmp_path / "out", skip_existing=True) == plan[1:]
    on_a_drive(monkeypatch, partial(normalize, "NFC"))
    with pytest.raises(UserError, match="would both become"):
        plan_outputs(pair, tmp_path / "out", overwrite=True)


def test_a_result_with_the_name_in_its_other_form_exists(tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "out"
    for folder, form in ((photos, "NFC"), (out, "NFD")):
        (folder / normalize(form, "été")).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(folder / normalize(form, "été/café.png"))
    assert plan_outputs([photos], out, skip_existing=True) == []
    with pytest.raises(UserError, match="exists; add --overwrite"):
        plan_outputs([photos], out)
    assert [result.exists() for _, result in plan_outputs([photos], out, overwrite=True)] == [True]


@posix_only
def test_what_a_killed_predict_left_is_removed_by_the_next_into_that_folder(photos, tmp_path):
    left = tmp_path / "out/.unfinished-00000000-1-0123abcd.png"
    left.parent.mkdir()
    left.touch()
    os.utime(left, (0, 0))
    own = left.with_name(temporary_name())
    own.touch()
    plan_outputs([photos], tmp_path / "out")
    assert list(left.parent.iterdir()) == [own]


def test_a_missing_photo_is_refused_before_any_work(photos, tmp_path):
    with pytest.raises(UserError, match=r"7\.png: no such photo or folder"):
        plan_outputs([photos / "0.png", photos / "7.png"], tmp_path)


def test_a_photo_is_never_replaced_by_its_own_result(photos):
    with pytest.raises(UserError, match=r"0\.png: is one of the photos to read"):
        plan_outputs([photos / "0.png"], photos, overwrite=True)


def test_an_output_that_is_a_file_is_refused_before_any_work(photos, tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(UserError, match="out: cannot be created as a folder"):
        plan_outputs([photos], tmp_path / "out")


def test_two_formats_of_one_name_get_two_results(photos, tmp_path, caplog):
    caplog.set_level("INFO")
    for suffix in ("gif", "jp2"):
        Image.open(photos / "0.png").save(photos / f"0.{suffix}")
    plan = plan_outputs([photos], tmp_path / "out")
    names = {photo.name: result.name for photo, result in plan}
    assert (names["0.png"], names["0.gif"], names["0.jp2"]) == ("0.png", "0.gif.png", "0.jp2.png")
    assert "0.gif becomes 0.gif.png, since there is another 0.png" in caplog.messages
    assert enhance_photos(plan, twice) == 0
    assert len(names_in(tmp_path / "out")) == 8


def test_what_exists_can_be_skipped(photos, tmp_path, caplog):
    caplog.set_level("INFO")
    out = tmp_path / "out"
    enhance_photos(plan_outputs([photos / "0.png"], out), twice)
    before = (out / "0.png").read_bytes()
    plan = plan_outputs([photos], out, skip_existing=True)
    assert [photo.name for photo, _ in plan] == ["1.png", "2.png", "3.png", "4.png", "5.png"]
    assert "1 of 6 results exist and are skipped" in caplog.messages
    assert enhance_photos(plan, lambda pixels: pixels) == 0
    assert (out / "0.png").read_bytes() == before


def test_results_below_the_folder_that_is_read_are_not_read(photos):
    for overwrite in (False, True):
        plan = plan_outputs([photos], photos / "out", overwrite=overwrite)
        assert [result for _, result in plan] == [photos / "out" / f"{i}.png" for i in range(6)]
        assert enhance_photos(plan, twice) == 0


def test_one_photo_may_have_its_results_name(photos, tmp_path):
    (pair,) = plan_outputs([photos / "0.png"], tmp_path / "new/large.jpg")
    assert pair == (photos / "0.png", tmp_path / "new/large.jpg")
    assert enhance_photos([pair], twice) == 0
    with pytest.raises(UserError, match=r"large.jpg: exists; add --overwrite, or --skip-existing"):
        plan_outputs([photos / "0.png"], tmp_path / "new/large.jpg")
    with pytest.raises(UserError, match=r"-o .*x.png: the name of one picture, for several photos; give a folder"):
        plan_outputs([photos], tmp_path / "x.png")


def test_a_folder_that_cannot_be_written_into_is_refused_before_any_work(photos, tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)  # whoever runs the tests may write everywhere
    with pytest.raises(UserError, match="out: nothing can be written here; give another folder"):
        plan_outputs([photos], tmp_path / "out")
    with pytest.raises(UserError, match=f"{tmp_path}: nothing can be written here"):
        check_can_write(tmp_path / "a/b/c")


def test_no_training_takes_results_for_photos(photos, tmp_path):
    expected = find_photos(photos)
    enhance_photos(plan_outputs([photos], photos / "out"), twice)
    assert find_photos(photos) == expected
    assert len(find_photos(photos / "out")) == 6  # asked for by name
    (tmp_path / "mine").mkdir()
    plan_outputs([photos], tmp_path / "mine")
    assert list((tmp_path / "mine").iterdir()) == []  # a folder that was there is not marked


def test_a_photo_that_is_named_twice_is_done_once(photos, tmp_path):
    plan = plan_outputs([photos / "0.png", photos, photos / "0.png"], tmp_path / "out")
    assert [result.name for _, result in plan] == [f"{i}.png" for i in range(6)]
