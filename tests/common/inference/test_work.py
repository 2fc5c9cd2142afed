import time
import weakref

import numpy as np
import pytest
from PIL import Image

from common.batches.folders import RESULTS_MARKER
from common.inference import work
from common.inference.plan import plan_outputs
from common.inference.room import times
from common.inference.work import enhance_photos, read_to_enhance
from common.photos.open import UnsuitablePhoto
from common.runtime.errors import UserError


def names_in(folder):
    """Of the results; the folder is marked as one of them."""
    assert (folder / RESULTS_MARKER).exists()
    return sorted(path.name for path in folder.iterdir() if path.name != RESULTS_MARKER)


def twice(pixels):
    return pixels.repeat(2, axis=0).repeat(2, axis=1)


def test_each_result_is_named_with_its_width_and_height(photos, tmp_path, caplog):
    caplog.set_level("INFO")
    result = tmp_path / "out" / "0.png"
    assert enhance_photos(plan_outputs([photos / "0.png"], tmp_path / "out"), twice) == 0
    assert f"1/1 {result}  160 x 144" in caplog.messages  # of 80 x 72


def test_one_broken_photo_does_not_stop_the_rest(photos, tmp_path, caplog):
    (photos / "2.png").write_bytes((photos / "2.png").read_bytes()[:500])
    assert enhance_photos(plan_outputs([photos], tmp_path / "out"), twice) == 1
    assert names_in(tmp_path / "out") == ["0.png", "1.png", "3.png", "4.png", "5.png"]
    assert "failed " in caplog.text
    assert "1 of 6 photos failed" in caplog.text


def test_a_crash_leaves_no_half_written_file(photos, tmp_path):
    def crash(pixels):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        enhance_photos(plan_outputs([photos], tmp_path / "out"), crash)
    assert names_in(tmp_path / "out") == []


def test_the_enhanced_pixels_are_what_is_saved(photos, tmp_path):
    enhance_photos(plan_outputs([photos / "0.png"], tmp_path / "out"), lambda pixels: 255 - pixels)
    original, result = (np.asarray(Image.open(folder / "0.png")) for folder in (photos, tmp_path / "out"))
    assert np.array_equal(result, 255 - original)


def test_a_grey_photos_result_is_grey_unless_colours_are_asked_for(photos, tmp_path):
    Image.open(photos / "0.png").convert("L").save(photos / "grey.png")

    def tint(pixels):
        return np.stack([pixels[..., 0], pixels[..., 1] // 2, pixels[..., 2]], axis=2)

    for folder, keep_grey, mode in (("a", True, "L"), ("b", False, "RGB")):
        enhance_photos(plan_outputs([photos / "grey.png"], tmp_path / folder), tint, keep_grey=keep_grey)
        with Image.open(tmp_path / folder / "grey.png") as result:
            assert result.mode == mode


def test_a_photo_too_large_for_the_memory_does_not_stop_the_rest(photos, tmp_path, caplog):
    def enhance(pixels):
        if pixels.mean() == 0:
            raise MemoryError("not enough memory for a tile of 96 pixels")
        return pixels

    Image.new("RGB", (80, 72)).save(photos / "0.png")
    assert enhance_photos(plan_outputs([photos], tmp_path / "out"), enhance) == 1
    assert f"failed {photos / '0.png'}: not enough memory for a tile of 96 pixels" in caplog.messages
    assert len(names_in(tmp_path / "out")) == 5


def test_memory_is_told_before_the_work_and_too_little_refused(photos, tmp_path, caplog, monkeypatch):
    plan = plan_outputs([photos / "0.png"], tmp_path / "out")
    with Image.open(photos / "0.png") as image:
        values = 5 * image.width * image.height  # of a channel, with the result's, which is 2x
    monkeypatch.setattr("common.inference.work.WORTH_SAYING", 8 * values - 1)
    monkeypatch.setattr("common.inference.work.machine_memory", lambda: 8 * values)
    caplog.set_level("INFO")
    assert enhance_photos(plan, twice, room=times(2)) == 0
    assert "needs about 0.0 GB of memory" in caplog.messages[0]
    monkeypatch.setattr("common.inference.work.machine_memory", lambda: 8 * values - 1)
    assert enhance_photos(plan, twice, room=times(2)) == 1
    assert "of memory, and this machine has" in caplog.text


def test_a_result_that_the_system_refuses_does_not_stop_the_rest(photos, tmp_path, caplog):
    plan = plan_outputs([photos / "0.png", photos / "1.png"], tmp_path / "out")
    plan[0] = (plan[0][0], tmp_path / "out" / f"{'n' * 300}.png")
    assert enhance_photos(plan, twice) == 1
    assert names_in(tmp_path / "out") == ["1.png"]
    assert any(message.startswith("failed ") and "nnn" in message for message in caplog.messages)


def test_results_can_have_another_format_and_quality(photos, tmp_path):
    sizes = []
    for quality in (30, 90):
        plan = plan_outputs([photos / "0.png"], tmp_path / str(quality), suffix=".jpg")
        assert enhance_photos(plan, twice, quality=quality) == 0
        sizes.append((tmp_path / str(quality) / "0.jpg").stat().st_size)
    assert sizes[0] < 0.7 * sizes[1]
    (photos / "other").mkdir()
    Image.open(photos / "0.png").save(photos / "0.jpg")
    with pytest.raises(UserError, match=r"0.jpg and .*0.png would both become .*0.webp"):
        plan_outputs([photos], tmp_path / "webp", suffix=".webp")


def test_a_photo_that_is_not_as_asked_is_named_and_the_others_are_made(photos, tmp_path, caplog):
    def enhance(pixels):
        if len(pixels) < 60:
            raise UnsuitablePhoto("too small for this")
        return pixels

    Image.new("RGB", (50, 50)).save(photos / "0.png")
    plan = plan_outputs(sorted(photos.iterdir())[:2], tmp_path / "out")
    assert enhance_photos(plan, enhance) == 1
    assert f"failed {photos / '0.png'}: too small for this" in caplog.messages
    assert (tmp_path / "out/1.png").exists()


def test_what_the_format_cannot_hold_is_said_before_the_work(photos, tmp_path, caplog):
    Image.new("RGB", (9000, 1)).save(photos / "wide.webp")
    Image.new("RGB", (40_000, 1)).save(photos / "wide.jpg")

    def fail(pixels):
        raise AssertionError

    plan = plan_outputs([photos / "wide.webp", photos / "wide.jpg"], tmp_path / "out")
    assert enhance_photos(plan, fail, room=times(2)) == 2
    advice = "a side; take another, such as --format png"
    assert caplog.messages[:2] == [
        f"failed {tmp_path / 'out/wide.webp'}: 18000 x 2 px, and the format has at most 16,383 {advice}",
        f"failed {tmp_path / 'out/wide.jpg'}: 80000 x 2 px, and the format has at most 65,500 {advice}",
    ]


@pytest.mark.parametrize(("large", "most"), [(1e9, 3), (1, 1)])
def test_large_photos_are_alone_in_memory(photos, tmp_path, monkeypatch, large, most):
    """Small ones: the one at hand, the next, and the one that waits behind it."""
    read_ones, seen = [], []

    def read(*args):
        photo = read_to_enhance(*args)
        read_ones.append(weakref.ref(photo.rgb))
        return photo

    def enhance(pixels):
        time.sleep(0.05)  # so that the reading thread could go on
        seen.append(sum(ref() is not None for ref in read_ones))
        return pixels.copy()

    monkeypatch.setattr(work, "read_to_enhance", read)
    monkeypatch.setattr(work, "LARGE", large)
    assert enhance_photos(plan_outputs([photos], tmp_path / "out"), enhance) == 0
    assert max(seen) >= most if most > 1 else max(seen) == 1
    assert len(names_in(tmp_path / "out")) == 6
