"""How much a visitor may ask, what comes of it, and how long it is kept."""

import io
import threading
import time
import zipfile
import zlib
from pathlib import Path

import pytest
from PIL import Image

import common.web.page
from tests.common.web.visitor import photo, text_of, wait_until


def bomb():
    """A PNG of 64 kB that says it has 20,000 x 20,000 pixels."""
    data = bytearray(photo())
    data[16:24] = (20_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.slow
def test_uploads_are_limited_in_bytes_and_number(site, visitor, monkeypatch):
    assert visitor.send(("a.png", bytes(99_000))).status_code == 200
    assert visitor.send(("a.png", bytes(110_000))).status_code == 413
    assert visitor.send(*[(f"{i}.png", bytes(99_000)) for i in range(20)]).status_code == 413
    assert visitor.client.post("/gradio_api/queue/join", content=bytes(2_000_000)).status_code == 413
    chunks = visitor.client.post("/gradio_api/upload", content=iter([b"a"]), headers={"content-type": "a"})
    assert chunks.status_code == 411
    paths = visitor.upload(*[(f"{i}.png", photo()) for i in range(5)])
    assert "5 photos, and this page takes up to 4 at once" in text_of(visitor.start(paths))
    monkeypatch.setattr("common.web.visitors.MAX_ENTRIES", 0)
    assert visitor.send(("a.png", b"")).status_code == 507


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_large_and_strange_files_are_not_decoded(visitor, monkeypatch):
    decoded = []
    enhance = common.web.page.enhance_photo
    monkeypatch.setattr(
        common.web.page,
        "enhance_photo",
        lambda path, *args, **options: (decoded.append(path.name), enhance(path, *args, **options)),
    )
    files = [
        ("bomb.png", bomb()),
        ("script.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"),
        ("video.mp4", b"\0\0\0\x18ftypmp42"),
        ("fine.png", photo()),
    ]
    answer = visitor.start(visitor.upload(*files))
    assert decoded == ["fine.png"]
    said = text_of(answer)
    assert "bomb.png: its result would have 400.0 megapixels, and this page makes up to 1" in said
    assert "script.png: no photo, or of a kind that this page does not take" in said
    assert "video.mp4: no photo" in said
    assert "1 of 4 photos" in said


def test_two_photos_of_one_name_are_both_done(visitor):
    files = [("a.png", photo((10, 0, 0))), ("a.png", photo((20, 0, 0))), ("A.PNG", photo((30, 0, 0)))]
    paths = visitor.upload(*files, ("a-2.png", photo((40, 0, 0))))
    answer = visitor.start(paths)
    assert "4 of 4 photos" in text_of(answer)
    response = visitor.get(f"/gradio_api/file={answer.data[1]['path']}").raise_for_status()
    with zipfile.ZipFile(io.BytesIO(response.content)) as results:
        reds = {name: Image.open(results.open(name)).getpixel((0, 0))[0] for name in results.namelist()}
    assert reds == {"a.png": 245, "a-2.png": 235, "A-3.PNG": 225, "a-2-2.png": 215}


def test_files_go_when_their_visitor_leaves_and_no_others(site, make_visitor):
    a, b = make_visitor(), make_visitor()
    with b.open_page():
        (shared,) = b.upload(("shared.png", photo((1, 2, 3))))
        assert a.upload(("shared.png", photo((1, 2, 3)))) == [shared]
        (own,) = a.upload(("own.png", photo((4, 5, 6))))
        kept = Path(b.start([shared]).data[1]["path"])
        with a.open_page():
            answer = a.start([shared, own])
            assert "2 of 2" in text_of(answer)
            gone = Path(answer.data[1]["path"])
            assert gone.exists()
            assert Path(own).exists()
        assert wait_until(lambda: not gone.exists())
        assert not Path(own).exists()
        assert kept.exists()
        assert Path(shared).exists()
    assert wait_until(lambda: not kept.exists())
    assert wait_until(lambda: not any(site.folder.iterdir()))


def test_what_is_old_is_deleted_though_its_page_stays_open(site, visitor):
    with visitor.open_page():
        never_started = Path(*visitor.upload(("b.png", photo((7, 7, 7)))))
        cut_off = site.folder / "tmpabc"
        cut_off.write_bytes(b"half an upload")
        result = Path(visitor.start(visitor.upload(("a.png", photo((8, 8, 8))))).data[1]["path"])
        site.page.visitors.sweep(time.time() - 60)
        assert result.exists()
        assert never_started.exists()
        site.page.visitors.sweep(time.time() + 60)
        assert not any(site.folder.iterdir())
        assert site.page.visitors.held == {}
        assert str(result) not in site.page.visitors.uploads


def test_one_works_at_a_time_and_no_more_than_the_queue_holds_wait(visitor, monkeypatch):
    working, most, go_on = [], [], threading.Event()

    def slow(path, result, *_, **__):
        working.append(path)
        most.append(len(working))
        go_on.wait(10)
        working.remove(path)
        raise OSError("slow")

    monkeypatch.setattr(common.web.page, "enhance_photo", slow)
    path = visitor.upload(("a.png", photo()))
    try:
        states = [visitor.join(path, session=f"{i}").status_code for i in range(24)]
    finally:
        go_on.set()
    assert states[:20] == [200] * 20
    assert 503 in states
    assert wait_until(lambda: len(most) == states.count(200) and not working)
    assert max(most) == 1
