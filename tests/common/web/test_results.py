"""What a visitor gets."""

from pathlib import Path

import numpy as np
from PIL import Image

from common.web.results import LONGEST, before_and_after, name_results


def test_results_have_the_photos_names_and_no_upload_is_opened_for_them(tmp_path, monkeypatch):
    monkeypatch.setattr("common.photos.video_endings.ending_of_result", lambda video: 1 / 0)
    names = ["a.jpg", "A.JPG", "b.gif", "c.mp4", "d.ogv", "e.ts", "f"]
    results = name_results([Path("/x") / name for name in names], tmp_path)
    assert [path.name for path in results] == ["a.jpg", "A-2.JPG", "b.png", "c.png", "d.png", "e.png", "f.png"]


def test_very_long_results_are_shown_smaller(tmp_path):
    Image.new("L", (40_000, 20)).save(tmp_path / "photo.png")
    Image.fromarray(np.zeros((40, 80_000, 3), np.uint8)).save(tmp_path / "result.png")
    for path in before_and_after(tmp_path / "photo.png", tmp_path / "result.png", tmp_path):
        assert Image.open(path).size == (LONGEST, 8)
