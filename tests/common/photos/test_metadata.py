"""What a photo's file says about it comes back with the result, in the same format."""

import struct

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import IFD, Base
from PIL.PngImagePlugin import PngInfo

from common.photos.open import PhotoError
from common.photos.whole import read_photo
from common.photos.write import write_photo

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" dc:rights="me"/></x:xmpmeta>'
IPTC = b"\x1c\x02\x78\x00\x0ea caption, odd"  # record 2, data set 120: the caption


@pytest.fixture
def exif():
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Artist], exif[Base.Copyright] = "a camera", "an artist", "2026 me"
    exif[Base.Orientation] = 6
    details = exif.get_ifd(IFD.Exif)
    details[Base.ExifImageWidth], details[Base.ExifImageHeight] = 40, 30
    details[Base.DateTimeOriginal] = "2026:11:25 12:00:00"
    exif.get_ifd(IFD.GPSInfo)[1] = "N"
    written = Image.Exif()  # Pillow writes directories into a TIFF only if they have been read
    written.load(exif.tobytes())
    return written


def enlarge(path, result):
    photo = read_photo(path)
    write_photo(result, photo.rgb.repeat(2, axis=0).repeat(2, axis=1), like=photo)
    return Image.open(result)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_exif_comes_back_with_the_size_of_the_result(tmp_path, exif, suffix):
    Image.new("RGB", (40, 30), "red").save(tmp_path / f"a.{suffix}", exif=exif, dpi=(300, 300))
    with enlarge(tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}") as result:
        assert result.size == (60, 80)  # turned upright
        found = result.getexif()
        assert [found[tag] for tag in (Base.Make, Base.Artist, Base.Copyright)] == ["a camera", "an artist", "2026 me"]
        assert found.get(Base.Orientation, 1) == 1
        details = found.get_ifd(IFD.Exif)
        assert (details[Base.ExifImageWidth], details[Base.ExifImageHeight]) == (60, 80)
        assert details[Base.DateTimeOriginal] == "2026:11:25 12:00:00"
        assert found.get_ifd(IFD.GPSInfo)[1] == "N"
        result.load()
        if suffix != "webp":  # which has no place for it
            assert result.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_a_compressed_tiff_of_another_layout_can_be_read_back(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (64, 48, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.tif", compression="tiff_lzw", tiffinfo={270: "a title", 278: 5, 317: 2})
    with enlarge(tmp_path / "a.tif", tmp_path / "b.tif") as result:
        assert np.array_equal(np.asarray(result), pixels.repeat(2, axis=0).repeat(2, axis=1))
        assert result.tag_v2[270] == "a title"


def test_xmp_is_upright_too(tmp_path):
    image = Image.new("RGB", (40, 30))
    for suffix in ("jpg", "webp"):
        image.save(tmp_path / f"a.{suffix}", xmp=XMP)
    text = PngInfo()
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    image.save(tmp_path / "a.png", pnginfo=text)
    for suffix in ("jpg", "webp", "png"):
        with enlarge(tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}") as result:
            assert result.size == (60, 80), suffix
            result.load()
            assert result.info["xmp"] == XMP.replace(b'Orientation="6"', b'Orientation="1"'), suffix


PHONE = (
    b'<x:xmpmeta><rdf:Description hdrgm:Version="1.0" GCamera:MotionPhoto="1" GCamera:MicroVideoOffset="20" dc:a="me">'
    b"<Container:Directory><rdf:Seq/></Container:Directory>"
    b'<mwg-rs:Regions><mwg-rs:AppliedToDimensions stDim:w="40" stDim:h="30"/></mwg-rs:Regions></rdf:Description>'
)


@pytest.mark.parametrize("orientation", [1, 6])
def test_what_lay_behind_a_phones_photo_goes_with_a_line(tmp_path, caplog, orientation):
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    Image.new("RGB", (40, 30)).save(tmp_path / "a.jpg", xmp=PHONE, exif=exif)
    with enlarge(tmp_path / "a.jpg", tmp_path / "b.jpg") as result:
        xmp = result.info["xmp"]
    assert b'dc:a="me"' in xmp
    assert not any(word in xmp for word in (b"hdrgm", b"GCamera", b"Container"))
    assert (b'stDim:w="80" stDim:h="60"' in xmp) == (orientation == 1)
    assert (b"mwg-rs" in xmp) == (orientation == 1)
    (line,) = caplog.messages
    assert "left out: the HDR gain map or the short video" in line
    assert ("the places of faces" in line) == (orientation == 6)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("suffix", ["bmp", "jpg"])
def test_where_nothing_is_transparent_the_result_is_on_white_with_a_line(tmp_path, caplog, mode, suffix):
    Image.new(mode, (8, 8), (90, 0) if mode == "LA" else (90, 80, 70, 0)).save(tmp_path / "a.png")
    with enlarge(tmp_path / "a.png", tmp_path / f"b.{suffix}") as result:
        assert set(result.convert("L").tobytes()) == {255}
    assert [line.partition("b.")[2] for line in caplog.messages] == [
        f"{suffix}: left out: transparency (the result is on white)"
    ]


def test_alpha_that_hides_nothing_needs_no_line(tmp_path, caplog):
    Image.new("RGBA", (8, 8), (90, 80, 70, 255)).save(tmp_path / "a.png")
    with enlarge(tmp_path / "a.png", tmp_path / "b.bmp") as result:
        assert result.mode == "RGB"
    assert not caplog.messages


def test_a_resolution_too_large_for_a_format_is_said_of_that_photo(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", dpi=(5e7, 5e7))
    with pytest.raises(PhotoError, match=r"b.tif: a 16 x 16 RGB picture cannot be saved"):
        enlarge(tmp_path / "a.png", tmp_path / "b.tif")


def test_captions_comments_and_texts_come_back(tmp_path):
    block = b"8BIM" + struct.pack(">HHI", 0x0404, 0, len(IPTC)) + IPTC + b"\0" * (len(IPTC) % 2)
    segment = b"Photoshop 3.0\0" + block
    Image.new("RGB", (4, 3)).save(
        tmp_path / "a.jpg", comment=b"a comment", extra=b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment
    )
    with enlarge(tmp_path / "a.jpg", tmp_path / "b.jpg") as result:
        assert result.info["photoshop"][0x0404] == IPTC
        assert result.info["comment"] == b"a comment"

    text = PngInfo()
    text.add_text("Title", "a title")
    text.add_itxt("Author", "岩", "ja", "著者")
    Image.new("RGB", (4, 3)).save(tmp_path / "a.png", pnginfo=text)
    with enlarge(tmp_path / "a.png", tmp_path / "b.png") as result:
        assert result.text == {"Title": "a title", "Author": "岩"}
        assert (result.text["Author"].lang, result.text["Author"].tkey) == ("ja", "著者")

    Image.new("P", (4, 3)).save(tmp_path / "a.gif", comment=b"drawn by me")
    with enlarge(tmp_path / "a.gif", tmp_path / "gif.png") as result:
        assert result.text["Comment"] == "drawn by me"


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_a_photo_without_any_gets_none(tmp_path, suffix):
    Image.new("RGB", (4, 3)).save(tmp_path / f"a.{suffix}")
    with enlarge(tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}") as result:
        result.load()
        assert result.info.pop("dpi", None) in (None, (1, 1))  # which Pillow says of a TIFF without
        assert not {"exif", "xmp", "comment", "icc_profile", "photoshop"} & set(result.info)


def test_only_the_first_frame_is_used_with_a_line(tmp_path, caplog):
    frames = [Image.new("RGB", (4, 3), color) for color in ("red", "blue", "green")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "one.gif")
    for name in ("a.gif", "a.tif", "one.gif"):
        assert read_photo(tmp_path / name).rgb[0, 0].tolist() == [255, 0, 0]
    assert caplog.messages == [
        f"{tmp_path / name}: only the first of its 3 frames or pages is used" for name in ("a.gif", "a.tif")
    ]
