"""A photo of 16 bits a channel comes back with 16, whatever Pillow can do."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.ExifTags import IFD, Base
from PIL.PngImagePlugin import PngInfo

from common.photos.deep_files import write_png, write_tiff
from common.photos.flat import open_photo
from common.photos.open import PhotoError
from common.photos.profiles import SRGB_PROFILE
from common.photos.tags import read_tags
from common.photos.whole import read_photo, to_srgb_photo
from common.photos.write import write_photo
from tests.profiles import P3, encode_srgb

DEEP = np.random.default_rng(0).integers(0, 65536, (30, 40, 3)).astype(np.uint16)


def write_plain_png(path, pixels):
    """As the specification says, without a filter; independent of ours."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for name, content in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
            file.write(struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content)))


def decode(path):
    """With another reader than Pillow."""
    if path.suffix != ".png":
        return tifffile.imread(path)
    data, position, compressed = path.read_bytes(), 8, b""
    while position < len(data):
        size, name = struct.unpack(">I4s", data[position : position + 8])
        content = data[position + 8 : position + 8 + size]
        assert zlib.crc32(name + content) == int.from_bytes(data[position + 8 + size : position + 12 + size], "big")
        compressed += content if name == b"IDAT" else b""
        position += 12 + size
    width, height, bits, color = struct.unpack(">IIBB", data[16:26])
    rows = np.frombuffer(zlib.decompress(compressed), np.uint8).reshape(height, -1)
    assert bits == 16
    assert (rows[:, 0] == 2).all()  # each row is the difference from the one above
    return rows[:, 1:].cumsum(axis=0, dtype=np.uint8).view(">u2").reshape(height, width, {2: 3, 6: 4}[color])


def write_deep(path, exif, icc_profile=b"", **options):
    if path.suffix == ".png":
        write_png(path, DEEP, {"exif": exif, "icc_profile": icc_profile, **options})
    else:
        write_tiff(path, DEEP, read_tags(BytesIO(exif.tobytes()[6:])), icc_profile=icc_profile)


def test_every_layout_is_read(tmp_path):
    write_plain_png(tmp_path / "a.png", DEEP)
    tifffile.imwrite(tmp_path / "plain.tif", DEEP, photometric="rgb")
    tifffile.imwrite(tmp_path / "deflate.tif", DEEP, photometric="rgb", compression="zlib")
    tifffile.imwrite(tmp_path / "big_endian.tif", DEEP, photometric="rgb", byteorder=">")
    for path in sorted(tmp_path.iterdir()):
        assert np.array_equal(read_photo(path).rgb, DEEP), path.name
        assert open_photo(path).mode == "RGB"


def test_planes_which_pillow_misreads_are_refused(tmp_path):
    planes = np.moveaxis(DEEP, -1, 0)
    tifffile.imwrite(tmp_path / "planes.tif", planes, photometric="rgb", planarconfig="separate")
    with pytest.raises(PhotoError, match=r"planes.tif: more than 8 bits, each colour in a plane of its own"):
        open_photo(tmp_path / "planes.tif")


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_it_comes_back_exactly_with_what_belongs_to_it(tmp_path, suffix):
    exif, text = Image.Exif(), PngInfo()
    exif[Base.Make], exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = "a camera", "2026:11:25 12:00:00"
    exif[Base.XResolution], exif[Base.YResolution], exif[Base.ResolutionUnit] = 300, 300, 2
    text.add_text("Title", "a title")
    path = tmp_path / f"a.{suffix}"
    write_deep(path, exif, pnginfo=text, dpi=(300, 300), icc_profile=P3)
    assert np.array_equal(decode(path), DEEP)

    photo = read_photo(path)
    assert (photo.rgb.dtype, photo.icc_profile) == (np.uint16, P3)
    write_photo(tmp_path / f"b.{suffix}", photo.rgb[::-1], like=photo)
    assert np.array_equal(decode(tmp_path / f"b.{suffix}"), DEEP[::-1])
    with Image.open(tmp_path / f"b.{suffix}") as result:
        assert result.getexif()[Base.Make] == "a camera"
        assert result.getexif().get_ifd(IFD.Exif)[Base.DateTimeOriginal] == "2026:11:25 12:00:00"
        result.load()
        assert result.info["icc_profile"] == P3
        assert result.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        if suffix == "png":
            assert result.text["Title"] == "a title"


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_turned_as_pillow_turns_the_8_bits(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    write_deep(tmp_path / f"a.{suffix}", exif)
    photo = read_photo(tmp_path / f"a.{suffix}")
    in_8_bits = np.asarray(open_photo(tmp_path / f"a.{suffix}")).astype(int)
    assert photo.rgb.shape == in_8_bits.shape
    assert abs(photo.rgb / 257 - in_8_bits).max() <= 1


def test_grey_and_transparency(tmp_path):
    grey = Image.fromarray(DEEP[..., 0])
    for name in ("a.png", "a.tif"):
        grey.save(tmp_path / name)
        photo = read_photo(tmp_path / name)
        assert photo.is_grey
        write_photo(tmp_path / f"new_{name}", photo.rgb, like=photo)
        with Image.open(tmp_path / f"new_{name}") as result:
            assert np.array_equal(np.asarray(result), DEEP[..., 0])
        write_photo(tmp_path / f"colored_{name}", DEEP, like=photo)  # as a network of colours gives it
        with Image.open(tmp_path / f"colored_{name}") as result:
            luma = DEEP @ np.array([0.299, 0.587, 0.114])
            assert abs(np.asarray(result) - luma).max() <= 1
    alpha = np.full((30, 40, 1), 65535, np.uint16)
    alpha[:10] = 257 * 100
    write_plain_png(tmp_path / "alpha.png", np.dstack([DEEP, alpha]))
    photo = read_photo(tmp_path / "alpha.png")
    for name in ("new.png", "new.tif"):
        write_photo(tmp_path / name, photo.rgb, like=photo)
        assert np.array_equal(decode(tmp_path / name), np.dstack([DEEP, alpha]))


def test_other_formats_get_8_bits(tmp_path):
    write_plain_png(tmp_path / "a.png", DEEP)
    photo = read_photo(tmp_path / "a.png")
    write_photo(tmp_path / "a.webp", photo.rgb, like=photo)
    assert abs(np.asarray(Image.open(tmp_path / "a.webp")) - DEEP / 257).max() <= 0.5


def test_what_cannot_be_read_with_16_bits_is_read_with_8_and_a_line(tmp_path, monkeypatch, caplog):
    write_plain_png(tmp_path / "a.png", DEEP)

    def fail(*_, **__):
        raise RuntimeError("an unknown\ncompression")

    monkeypatch.setattr("common.photos.sixteen_bits.open_as", fail)
    photo = read_photo(tmp_path / "a.png")
    assert photo.rgb.dtype == np.uint8
    assert caplog.messages == [f"{tmp_path / 'a.png'}: only 8 of its 16 bits are used (an unknown compression)"]


def test_profiles_keep_16_bits_and_one_of_tables_gets_a_line(tmp_path, caplog, monkeypatch):
    for profile in (None, SRGB_PROFILE, P3):
        write_png(tmp_path / "a.png", DEEP, {"icc_profile": profile} if profile else {})
        assert to_srgb_photo(read_photo(tmp_path / "a.png")).rgb.dtype == np.uint16
    assert not caplog.messages
    monkeypatch.setattr("common.photos.matrix_profile.read_profile", lambda _: None)
    assert to_srgb_photo(read_photo(tmp_path / "a.png")).rgb.dtype == np.uint8
    assert caplog.messages == [
        "a photo of 16 bits becomes one of 8, as its colours are converted from its profile to sRGB"
    ]


@pytest.mark.parametrize("profile", [SRGB_PROFILE, P3, b"not a profile"], ids=["sRGB", "P3", "broken"])
def test_a_profile_that_does_not_fit_the_pixels_leaves_16_bits(tmp_path, caplog, profile):
    grey = np.arange(0, 65536, 256, dtype=np.uint16).reshape(16, 16, 1)
    write_png(tmp_path / "a.png", grey, {"icc_profile": profile})
    photo = read_photo(tmp_path / "a.png")
    assert (photo.rgb.dtype, photo.is_grey, photo.icc_profile) == (np.uint16, True, None)
    expected = 65535 * encode_srgb((grey / 65535) ** 2.2) if profile == P3 else grey
    assert abs(photo.rgb[..., 1:2] - expected).max() < 200  # P3's curve is nearly a power of 2.2
    assert ["its colour profile is ignored" in line for line in caplog.messages] == [True] * (profile[:3] == b"not")
