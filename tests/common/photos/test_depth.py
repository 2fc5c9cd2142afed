"""What is black and what is white in files of more than 8 bits, and what is transparent in those of any depth."""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from common.photos.flat import open_photo
from common.photos.open import PhotoError
from common.photos.whole import read_photo
from common.photos.write import write_photo
from tests.common.photos.test_sixteen_bits import DEEP

GREY = np.linspace(0, 65535, 40 * 30).round().astype(np.uint16).reshape(30, 40)
SIGNED = (GREY.astype(int) - 32768).astype(np.int16)
COLOR = struct.pack(">3H", 1000, 2000, 3000)
MIN, MAX, SIGNED_MIN, SIGNED_MAX = 280, 281, 340, 341


def write_tiff(path, pixels, photometric="minisblack", **tags):
    extra = [(number, kind, 1, value, True) for number, (kind, value) in tags.pop("tags", {}).items()]
    tifffile.imwrite(path, pixels, photometric=photometric, extratags=extra, metadata=None, **tags)
    return path


def write_png(path, bits, color, rows, transparent=b""):
    """Rows as bytes, without a filter."""
    height, width = len(rows), 8 * len(rows[0]) // (bits * {0: 1, 2: 3, 4: 2, 6: 4}[color])
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0))]
    chunks += [(b"tRNS", transparent)] if transparent else []
    chunks += [(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))), (b"IEND", b"")]
    content = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    return path


def save_again(path, name):
    photo = read_photo(path)
    write_photo(path.with_name(name), photo.rgb, like=photo)
    return path.with_name(name)


@pytest.mark.parametrize(
    ("pixels", "options", "expected"),
    [
        (GREY.astype(np.uint32) * 65537, {}, GREY),  # the full range of 32 bits
        (GREY.astype(np.uint32), {}, GREY),  # 16 of them used
        (GREY.astype(np.int32), {}, GREY),
        (GREY.astype(np.uint32) >> 4, {"tags": {MAX: (4, 4095)}}, GREY >> 4 << 4 | GREY >> 12),
        (GREY >> 4, {"tags": {MAX: (3, 4095)}}, GREY >> 4 << 4 | GREY >> 12),
        (GREY >> 4, {"tags": {SIGNED_MAX: (3, 4095)}}, GREY >> 4 << 4 | GREY >> 12),
        (GREY, {"tags": {MAX: (3, 60_000)}}, GREY),  # only the brightest pixel
        (GREY, {"photometric": "miniswhite"}, 65535 - GREY),
        (SIGNED, {"tags": {SIGNED_MIN: (8, -32768), SIGNED_MAX: (8, 32767)}}, GREY),
    ],
    ids=["32", "16 in 32", "16 in signed 32", "12 in 32", "12 in 16", "12 in 16, by the other tag", "no depth",
         "0 is white", "signed"],
)  # fmt: skip
def test_the_range_of_grey(tmp_path, pixels, options, expected):
    path = write_tiff(tmp_path / "a.tif", pixels, **options)
    photo = read_photo(path)
    assert photo.is_grey
    assert abs(photo.rgb[..., 1].astype(int) - expected).max() <= 1
    assert abs(np.asarray(open_photo(path))[..., 0] - expected / 257).max() <= 0.6
    for name in ("b.tif", "b.png"):
        with Image.open(save_again(path, name)) as result:
            assert result.mode == "I;16"
            assert np.array_equal(np.asarray(result), photo.rgb[..., 0])


def test_12_bits_a_pixel(tmp_path):
    """Two pixels in three bytes."""
    values = np.array([[0, 1, 2048, 4095]])
    pairs = values.reshape(-1, 2)
    data = b"".join(bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in pairs.tolist())
    entries = ((256, 4), (257, 1), (258, 12), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1), (279, len(data)))
    table = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in entries)
    head = b"II*\0" + struct.pack("<I", 8 + len(data))
    (tmp_path / "a.tif").write_bytes(head + data + struct.pack("<H", len(entries)) + table + bytes(4))
    assert read_photo(tmp_path / "a.tif").rgb[0, :, 0].tolist() == [0, 16, 32776, 65535]
    assert np.asarray(open_photo(tmp_path / "a.tif"))[0, :, 0].tolist() == [0, 0, 128, 255]


def test_12_bits_in_16_of_colour(tmp_path):
    path = write_tiff(tmp_path / "a.tif", DEEP >> 4, "rgb", tags={MAX: (3, 4095)})
    expected = DEEP >> 4 << 4 | DEEP >> 12
    assert abs(read_photo(path).rgb.astype(int) - expected).max() <= 1
    assert abs(np.asarray(open_photo(path)) - expected / 257).max() <= 0.6


@pytest.mark.parametrize(
    ("pixels", "options", "message"),
    [
        ((GREY >> 1).astype(np.int16), {}, "a.tif: signed numbers, whose white no tag names"),
        (GREY.astype(np.int32) - 5, {}, "a.tif: signed numbers below 0, whose black no tag names"),
        (GREY.astype(np.int32) * 3, {}, "a.tif: signed numbers, whose white no tag names"),
        (GREY.astype(np.uint32), {"photometric": "miniswhite"}, "a.tif: "),
        (GREY.astype(np.float32), {}, "a.tif: floating-point pictures have no defined white"),
    ],
)
def test_numbers_without_a_white_are_refused(tmp_path, pixels, options, message):
    path = write_tiff(tmp_path / "a.tif", pixels, **options)
    for read in (open_photo, read_photo):
        with pytest.raises(PhotoError, match=message):
            read(path)


def test_grey_and_alpha_of_16_bits_keeps_its_depth(tmp_path):
    alpha = np.where(np.arange(40) < 20, 65535, 257 * 100).astype(np.uint16)
    both = np.dstack([GREY, np.broadcast_to(alpha, GREY.shape)])
    path = write_png(tmp_path / "a.png", 16, 4, [row.astype(">u2").tobytes() for row in both])
    photo = read_photo(path)
    assert photo.is_grey
    assert np.array_equal(photo.rgb, np.dstack([GREY] * 3))
    again = read_photo(save_again(path, "b.png"))
    assert again.is_grey
    assert np.array_equal(again.rgb, photo.rgb)
    assert np.array_equal(np.asarray(again.alpha), np.broadcast_to(alpha // 257, GREY.shape))
    assert np.array_equal(tifffile.imread(save_again(path, "b.tif")), both[..., [0, 0, 0, 1]])
    assert np.array_equal(read_photo(tmp_path / "b.tif").rgb, photo.rgb)
    on_white = both[..., 0] / 257 * (both[..., 1] / 65535) + 255 * (1 - both[..., 1] / 65535)
    assert abs(np.asarray(open_photo(path))[..., 0] - on_white).max() <= 1.5


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_of_few_bits_keeps_its_values(tmp_path, bits):
    values = np.arange(2**bits).repeat(8 // bits if bits < 4 else 1)
    packed = np.packbits(np.unpackbits(values[:, None].astype(np.uint8), axis=1)[:, -bits:].ravel()).tobytes()
    path = write_png(tmp_path / "a.png", bits, 0, [packed])
    expected = values * 255 // (2**bits - 1)
    assert np.array_equal(read_photo(path).rgb[0, :, 0], expected)
    assert np.array_equal(read_photo(save_again(path, "b.png")).rgb[0, :, 0], expected)


@pytest.mark.parametrize(
    ("bits", "color", "row", "transparent", "alpha"),
    [
        (1, 0, b"\x40", struct.pack(">H", 1), [255, 0] + [255] * 6),
        (2, 0, b"\x1b", struct.pack(">H", 2), [255, 255, 0, 255]),
        (4, 0, b"\x3f", struct.pack(">H", 3), [0, 255]),
        (8, 0, b"\x03\x04", struct.pack(">H", 3), [0, 255]),
        (16, 0, b"\x03\xe8\x03\xe9", struct.pack(">H", 1000), [0, 255]),
        (16, 2, COLOR + struct.pack(">3H", 1000, 2000, 3001), COLOR, [0, 255]),
    ],
)  # fmt: skip
def test_the_transparent_colour_of_a_png(tmp_path, bits, color, row, transparent, alpha):
    path = write_png(tmp_path / "a.png", bits, color, [row], transparent)
    assert np.asarray(read_photo(path).alpha)[0].tolist() == alpha
    seen = np.asarray(open_photo(path))[0, :, 0]
    assert (seen[np.array(alpha) == 0] == 255).all()
    assert (seen[np.array(alpha) > 0] < 255).any() or bits == 4
    assert np.asarray(read_photo(save_again(path, "b.png")).alpha)[0].tolist() == alpha


def test_colours_multiplied_by_alpha_are_read_with_8_bits_and_a_line(tmp_path, caplog):
    pixels = np.dstack([DEEP // 2, np.full((30, 40, 1), 32768, np.uint16)])
    path = write_tiff(tmp_path / "a.tif", pixels, "rgb", extrasamples=["assocalpha"])
    photo = read_photo(path)
    assert photo.rgb.dtype == np.uint8
    assert abs(photo.rgb - DEEP / 257).max() <= 3
    assert caplog.messages == [
        f"{path}: only 8 of its 16 bits are used (its colours are multiplied by its transparency)"
    ]
