import numpy as np
import pytest
from PIL import Image

import common.photos.open
from common.batches.folders import sample_photos
from common.photos.flat import open_photo, open_photo_for_crops, open_shrunk_photo, shrunk_size
from common.photos.open import PhotoError, allow_huge_photos, decode_photo
from common.photos.whole import read_photo
from common.photos.write import write_photo
from tests.profiles import COLORS, GRADIENT, P3


def save(path, image, **options):
    image.save(path, **options)
    return path


def test_16_bit_grey_keeps_its_tones(tmp_path):
    path = save(tmp_path / "a.png", Image.fromarray(GRADIENT.astype(np.uint16) * 257))
    assert np.array_equal(np.asarray(open_photo(path))[..., 0], GRADIENT)


def test_8_bit_grey_becomes_equal_channels(tmp_path):
    opened = np.asarray(open_photo(save(tmp_path / "a.png", Image.fromarray(GRADIENT))))
    assert np.array_equal(opened, np.stack([GRADIENT] * 3, axis=2))


def test_palette_gives_its_colours(tmp_path):
    image = Image.new("P", (4, 2), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    assert np.asarray(open_photo(save(tmp_path / "a.png", image)))[0, 0].tolist() == [10, 20, 30]


def test_cmyk_becomes_rgb(tmp_path):
    path = save(tmp_path / "a.tif", Image.new("CMYK", (4, 2), (0, 255, 255, 0)))
    assert np.asarray(open_photo(path))[0, 0].tolist() == [255, 0, 0]


def test_transparency_is_put_on_white(tmp_path):
    image = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    image.putpixel((1, 0), (255, 0, 0, 0))
    assert np.asarray(open_photo(save(tmp_path / "a.png", image)))[0].tolist() == [[255, 0, 0], [255, 255, 255]]


def test_exif_rotation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    path = save(tmp_path / "a.png", Image.fromarray(GRADIENT), exif=exif)
    opened = open_photo(path)
    assert opened.size == (30, 40)
    assert np.array_equal(np.asarray(opened)[..., 0], np.rot90(GRADIENT, -1))


def test_a_large_jpeg_is_decoded_smaller_and_looks_the_same(tmp_path):
    photo = Image.open(sample_photos()[0]).convert("RGB").resize((2400, 1600))
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "a.jpg", photo, quality=95, exif=exif)
    assert decode_photo(path, least_side=200).size == (200, 300)  # 8 times smaller, and turned
    assert decode_photo(path, least_side=201).size == (400, 600)
    assert decode_photo(save(tmp_path / "a.png", photo), least_side=200).size == (2400, 1600)
    opened = open_shrunk_photo(path, crop=48, min_scale=0.9216)  # a short side of 50
    whole = open_photo(path)
    height, width = shrunk_size(whole.height, whole.width, 50)
    expected = np.asarray(whole.resize((width, height), reducing_gap=2), dtype=int)
    assert opened.size == (50, 75)
    assert abs(np.asarray(opened, dtype=int) - expected).mean() < 1
    with pytest.raises(PhotoError, match="1600 x 2400 px, smaller than the 1601 px crop"):
        open_photo_for_crops(path, min_side=1601, least_side=100_000)


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("empty.jpg", lambda path: path.write_bytes(b""), "empty.jpg: the file is empty"),
        ("text.jpg", lambda path: path.write_text("not a photo"), "text.jpg: not a picture"),
        ("missing.jpg", lambda path: None, "missing.jpg: no such file"),
        ("cut.jpg", lambda path: cut(path, "JPEG"), "cut.jpg: broken .*truncated"),
        ("cut.png", lambda path: cut(path, "PNG"), "cut.png: broken"),
        ("float.tif", lambda path: Image.new("F", (3, 3)).save(path), "float.tif: floating-point"),
    ],
)
def test_files_that_are_no_usable_photo(tmp_path, name, make, message):
    make(tmp_path / name)
    with pytest.raises(PhotoError, match=message):
        open_photo(tmp_path / name)


def cut(path, kind):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)).save(path, kind)
    path.write_bytes(path.read_bytes()[:20_000])


def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    path = save(tmp_path / "bomb.png", Image.new("L", (30, 30)))
    with pytest.raises(PhotoError, match=r"more than 0\.0002 megapixels.*--allow-huge"):
        open_photo(path)
    allow_huge_photos()
    assert open_photo(path).size == (30, 30)


def test_alpha_profile_and_exif_come_back(tmp_path):
    image = Image.new("RGBA", (6, 4), (10, 20, 30, 255))
    image.putpixel((0, 0), (10, 20, 30, 0))
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "a camera", 3
    photo = read_photo(save(tmp_path / "a.png", image, icc_profile=P3, exif=exif))
    write_photo(tmp_path / "b.png", photo.rgb.repeat(2, axis=0).repeat(2, axis=1), like=photo)
    with Image.open(tmp_path / "b.png") as result:
        assert (result.size, result.mode, result.info["icc_profile"]) == ((12, 8), "RGBA", P3)
        assert result.getexif()[0x010F] == "a camera"
        assert 0x0112 not in result.getexif()  # it is upright already
        assert result.getpixel((11, 7))[3] < 128 < result.getpixel((0, 0))[3]  # turned by half with the colours
        assert result.getpixel((0, 0))[:3] == (10, 20, 30)


@pytest.mark.parametrize(("mode", "expected"), [("L", "L"), ("1", "L"), ("P", "RGB"), ("RGB", "RGB"), ("LA", "LA")])
def test_grey_photos_stay_grey(tmp_path, mode, expected):
    photo = read_photo(save(tmp_path / "a.png", Image.fromarray(GRADIENT).convert(mode)))
    write_photo(tmp_path / "b.png", photo.rgb, like=photo)
    with Image.open(tmp_path / "b.png") as result:
        assert result.mode == expected


def test_a_format_that_cannot_hold_the_picture_says_so(tmp_path):
    photo = read_photo(save(tmp_path / "a.png", Image.new("RGB", (2, 2))))
    with pytest.raises(PhotoError, match="70000 x 1 RGB picture cannot be saved"):
        write_photo(tmp_path / "b.jpg", np.zeros((1, 70000, 3), np.uint8), like=photo)


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0QM\0*\0\0\0\x08", b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x01abcd"]
)
def test_damaged_exif_does_not_lose_the_photo(tmp_path, exif):
    path = save(tmp_path / "a.jpg", Image.fromarray(GRADIENT).convert("RGB"), exif=exif, quality=95)
    photo = read_photo(path)
    assert open_photo(path).size == (40, 30)
    write_photo(tmp_path / "b.jpg", photo.rgb, like=photo)
    assert read_photo(tmp_path / "b.jpg").rgb.shape == (30, 40, 3)


def test_webp_is_lossless(tmp_path):
    photo = read_photo(save(tmp_path / "a.png", Image.fromarray(GRADIENT).convert("RGB")))
    write_photo(tmp_path / "b.webp", photo.rgb, like=photo)
    assert np.array_equal(read_photo(tmp_path / "b.webp").rgb, photo.rgb)


def test_photos_of_phones_are_read(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    exif = Image.Exif()
    exif[0x010F] = "a phone"
    heif = pillow_heif.from_pillow(Image.fromarray(COLORS.repeat(8, axis=0).repeat(8, axis=1)))
    heif.save(tmp_path / "a.heic", quality=100, exif=exif.tobytes())
    photo = read_photo(tmp_path / "a.heic")
    assert abs(photo.rgb.astype(int) - COLORS.repeat(8, axis=0).repeat(8, axis=1)).mean() < 5
    write_photo(tmp_path / "a.png", photo.rgb, like=photo)
    with Image.open(tmp_path / "a.png") as result:
        assert result.getexif()[0x010F] == "a phone"


def test_without_the_package_the_message_names_it(tmp_path, monkeypatch):
    monkeypatch.setattr(common.photos.open, "CAN_READ_HEIF", False)
    (tmp_path / "a.heic").write_bytes(b"x")
    with pytest.raises(PhotoError, match=r"a.heic: HEIC photos need the package pillow-heif: pip install pillow-heif"):
        open_photo(tmp_path / "a.heic")


def test_a_transparent_photo_becomes_a_jpeg_on_white(tmp_path):
    image = Image.new("RGBA", (16, 16), (255, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 8, 16))
    photo = read_photo(save(tmp_path / "a.jpg", image, format="PNG"))
    write_photo(tmp_path / "b.jpg", photo.rgb, like=photo)
    result = np.asarray(Image.open(tmp_path / "b.jpg")).astype(int)
    assert abs(result[:, :6] - 255).max() < 12
    assert abs(result[:, 10:] - (255, 0, 0)).max() < 12
    assert abs(result - np.asarray(open_photo(tmp_path / "a.jpg"))).mean() < 5  # what training sees of it


def test_what_is_hidden_does_not_mix_into_the_rim_of_a_cut_out(tmp_path):
    image = Image.new("RGBA", (16, 16), (0, 0, 0, 0))  # hidden black
    image.paste((255, 0, 0, 255), (4, 4, 12, 12))
    photo = read_photo(save(tmp_path / "a.png", image))
    larger = Image.fromarray(photo.rgb).resize((64, 64), Image.Resampling.BICUBIC)
    write_photo(tmp_path / "b.png", np.asarray(larger), like=photo)
    result = np.asarray(Image.open(tmp_path / "b.png"))
    assert result[result[..., 3] > 0][:, :3].tolist() == [[255, 0, 0]] * int((result[..., 3] > 0).sum())


def test_files_keep_their_compression(tmp_path):
    pixels = np.asarray(Image.open(sample_photos()[1]).convert("RGB"))[:200, :300]
    image = Image.fromarray(pixels)
    for name, options in (("a.tif", {"compression": "tiff_lzw"}), ("lossy.webp", {"quality": 80}),
                          ("exact.webp", {"lossless": True})):  # fmt: skip
        path = save(tmp_path / name, image, **options)
        photo = read_photo(path)
        write_photo(tmp_path / f"new_{name}", photo.rgb, like=photo)
        ratio = (tmp_path / f"new_{name}").stat().st_size / path.stat().st_size
        assert 0.7 < ratio < 2.5, name  # lossless, the lossy photo would be ten times as large
    with Image.open(tmp_path / "new_a.tif") as result:
        assert result.info["compression"] == "tiff_lzw"
    assert np.array_equal(read_photo(tmp_path / "new_exact.webp").rgb, pixels)
