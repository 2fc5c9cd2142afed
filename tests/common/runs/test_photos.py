from unicodedata import normalize

import pytest

from common.runs.photos import read_photo_split, save_photo_split
from common.runtime.errors import UserError


def test_a_run_keeps_its_photos_wherever_they_lie_later(photos, tmp_path, caplog):
    train, held_out = [photos / "3.png", photos / "0.png"], [photos / "1.png", photos / "2.png"]
    save_photo_split(tmp_path / "photos.json", (train, held_out), photos)
    photos.rename(tmp_path / "moved")
    moved = tmp_path / "moved"
    (moved / "new.png").write_bytes(b"not of this run")
    (moved / "2.png").unlink()
    expected = [moved / "3.png", moved / "0.png"], [moved / "1.png"]
    assert read_photo_split(tmp_path / "photos.json", moved) == expected
    assert caplog.messages == [f"{moved}/2.png: missing; it was there when the run began"]
    with pytest.raises(UserError, match="no such folder; give the one where the photos of this run are now"):
        read_photo_split(tmp_path / "photos.json", photos)
    (moved / "1.png").unlink()
    with pytest.raises(UserError, match="too few photos of this run are here"):
        read_photo_split(tmp_path / "photos.json", moved)


def test_a_runs_photos_are_found_under_their_names_other_form(photos, tmp_path):
    (photos / "1.png").rename(photos / normalize("NFC", "é.png"))
    split = [photos / "3.png"], [photos / normalize("NFC", "é.png")]
    save_photo_split(tmp_path / "photos.json", split, photos)
    split[1][0].rename(photos / normalize("NFD", "é.png"))  # copied to a Mac
    train, (held_out,) = read_photo_split(tmp_path / "photos.json", photos)
    assert (train, held_out.name) == (split[0], normalize("NFD", "é.png"))


def test_sample_photos_are_found_again(tmp_path):
    from common.batches.folders import sample_photos

    split = sample_photos()[2:], sample_photos()[:2]
    save_photo_split(tmp_path / "photos.json", split, None)
    assert read_photo_split(tmp_path / "photos.json", None) == split
