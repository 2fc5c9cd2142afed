"""What EXIF and TIFF tags say comes back byte for byte; only what describes the pixels is renewed."""

import shutil
import struct
import subprocess
from io import BytesIO

import numpy as np
import pytest
import tifffile
from PIL import Image, features
from PIL.PngImagePlugin import PngInfo

from common.photos.flat import open_photo
from common.photos.tags import Tag, Tags, read_tags, to_bytes
from common.photos.whole import read_photo
from common.photos.write import write_photo
from tests.tag_bytes import EXIF, GPS, INTEROP, NOTE, get_exif, pack_exif, parse

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SIGNED_RATIONAL, DOUBLE = 1, 2, 3, 4, 5, 7, 10, 12
MAIN = {
    270: (ASCII, "ein Fu\N{LATIN SMALL LETTER SHARP S}weg \N{SNOWMAN}\0".encode()),
    271: (ASCII, b"a camera\0"),
    315: (ASCII, "José\0".encode("latin-1")),
    33432: (ASCII, "© 2026 Ärzte\0".encode() + "© editor\0".encode("latin-1")),  # photographer's and editor's
    40093: (BYTE, "Müller\0".encode("utf-16-le")),  # XPAuthor
    50341: (UNDEFINED, b"PrintIM\x000300\0\0\0\0"),
    59999: (DOUBLE, bytes(range(16))),  # nobody's
}
GPS_TAGS = {0: (BYTE, b"\2\3\0\0"), 1: (ASCII, b"N\0"), 27: (UNDEFINED, b"ASCII\0\0\0GPS")}


def make_exif(order, **more):
    def pack(what, *values):
        return struct.pack(order + what, *values)

    details = {
        33434: (RATIONAL, pack("II", 10, 2500)),  # not reduced
        36864: (UNDEFINED, b"0232"),
        37380: (SIGNED_RATIONAL, pack("ii", -2, 6)),
        NOTE: (UNDEFINED, b"\xff\xfeits own\0format"),
        37510: (UNDEFINED, b"UNICODE\0" + "Grüße".encode("utf-16-be")),  # UserComment
        37396: (SHORT, pack("HHHH", 10, 20, 4, 6)),  # SubjectArea
        40962: (SHORT, pack("H", 40)),
        40963: (LONG, pack("I", 30)),
        41486: (RATIONAL, pack("II", 40_000, 7)),  # pixels in a unit of the sensor
        42034: (RATIONAL, pack("8I", 24, 1, 70, 1, 0, 0, 28, 10)),  # a lens, of unknown aperture: 0/0
    } | more.pop("details", {})
    interop = {1: (ASCII, b"R98\0"), 2: (UNDEFINED, b"0100")}
    gps = GPS_TAGS | {2: (RATIONAL, pack("6I", 48, 1, 8, 1, 1234, 100))}
    return pack_exif(order, MAIN | more.pop("main", {}), details, gps, interop, **more)


def save(path, exif, size=(40, 30), deep=False):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8))
    if path.suffix == ".tif":  # its tags are those of the block, which says also how the pixels are stored
        order = "<" if exif[:2] == b"II" else ">"
        numbers = np.asarray(image).astype(order + "u2") * 257 if deep else np.asarray(image)
        add = {256: size[0], 257: size[1], 262: 2, 277: 3, 278: size[1], 279: numbers.nbytes, 284: 1, 259: 1}
        shorts = struct.pack(order + "3H", *[16 if deep else 8] * 3)
        tags = read_tags(BytesIO(exif))

        def build(at):
            longs = {number: Tag(LONG, struct.pack(order + "I", value)) for number, value in (add | {273: at}).items()}
            return to_bytes(Tags(order, tags.main | longs | {258: Tag(SHORT, shorts)}, tags.maker_note_at))

        path.write_bytes(build(len(build(0))) + numbers.tobytes())
    else:
        image.save(path, exif=b"Exif\0\0" + exif)
    return path


def enlarge(path, result):
    photo = read_photo(path)
    write_photo(result, photo.rgb.repeat(2, axis=0).repeat(2, axis=1), like=photo)
    return result


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("old", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("new", ["jpg", "png", "webp", "tif"])
def test_every_byte_comes_back_and_what_describes_the_pixels_is_renewed(tmp_path, old, new, order, caplog):
    block, _ = make_exif(order, main={274: (SHORT, struct.pack(order + "H", 6))}, thumbnail=b"\xff\xd8small\xff\xd9")
    if old == "tif":  # whose first directory says how it is stored; pixels lie as they are shown
        block, _ = make_exif(order)
    expected = parse(block)
    found = parse(get_exif(enlarge(save(tmp_path / f"a.{old}", block), tmp_path / f"b.{new}")))
    assert not caplog.messages
    assert found["order"] == order
    for directory in ("main", "Exif", "GPS", "Interop"):
        kept = expected[directory].keys() - {274, 37396, 40962, 40963, 41486, EXIF, GPS, INTEROP}
        assert {tag: found[directory].get(tag) for tag in kept} == {tag: expected[directory][tag] for tag in kept}
    assert 274 not in found["main"]
    assert found["next"] == 0  # the thumbnail is of the small picture
    width, height = (80, 60) if old == "tif" else (60, 80)
    assert found["Exif"][40962] == (SHORT, struct.pack(order + "H", width))
    assert found["Exif"][40963] == (LONG, struct.pack(order + "I", height))
    assert found["Exif"][41486] == (RATIONAL, struct.pack(order + "II", 80_000, 7))
    place = (20, 40, 8, 12) if old == "tif" else (2 * (30 - 20), 20, 12, 8)  # turned by a quarter, clockwise
    assert found["Exif"][37396] == (SHORT, struct.pack(order + "4H", *place))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("new", ["png", "tif", "jpg"])
def test_tags_of_16_bits_come_back_too(tmp_path, order, new):
    block, _ = make_exif(order)
    path = save(tmp_path / "a.tif", block, deep=True)
    result = enlarge(path, tmp_path / f"b.{new}")
    found, expected = parse(get_exif(result)), parse(block)
    for tag in MAIN:
        assert found["main"][tag] == expected["main"][tag]
    assert found["Exif"][37510] == expected["Exif"][37510]
    if new != "jpg":
        assert np.array_equal(read_photo(result).rgb[::2, ::2], read_photo(path).rgb)
    if new == "tif":
        assert np.array_equal(tifffile.imread(result)[::2, ::2], tifffile.imread(path))


def test_the_makers_note_stays_where_its_inner_offsets_count_from(tmp_path):
    block, note_at = make_exif("<")
    for name in ("b.jpg", "b.png", "b.webp", "b.tif"):
        found = parse(get_exif(enlarge(save(tmp_path / "a.jpg", block), tmp_path / name)))
        assert found["note at"] == note_at, name


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA"])
def test_tiffs_of_every_layout_are_read_by_others(tmp_path, mode, compression):
    pixels = np.random.default_rng(0).integers(1, 256, (300, 200, 4), np.uint8)
    image = Image.fromarray(pixels).convert(mode)
    image.save(tmp_path / "a.tif", compression=compression, tiffinfo={270: "a title"})
    photo = read_photo(tmp_path / "a.tif")
    write_photo(tmp_path / "b.tif", photo.rgb, like=photo)
    if compression != "tiff_lzw":  # which tifffile needs a package for
        assert np.array_equal(tifffile.imread(tmp_path / "b.tif"), np.asarray(image))
    with Image.open(tmp_path / "b.tif") as result:
        assert result.tag_v2[270] == "a title"
        assert result.info["compression"] == compression
        assert np.array_equal(np.asarray(result), np.asarray(image))


def test_a_big_tiff_gives_its_tags(tmp_path):
    pixels = np.zeros((4, 4, 3), np.uint8)
    extra = [(315, 2, 0, "José".encode(), True), (65000, 16, 1, 7, True)]
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", bigtiff=True, extratags=extra)
    photo = read_photo(tmp_path / "a.tif")
    write_photo(tmp_path / "b.tif", photo.rgb, like=photo)
    assert parse((tmp_path / "b.tif").read_bytes())["main"][315][1].rstrip(b"\0") == "José".encode()


def test_tags_that_point_out_of_the_file_are_named_and_the_others_kept(tmp_path, caplog):
    block = bytearray(make_exif("<")[0])
    entry = block.index(struct.pack("<HH", 270, ASCII))
    block[entry + 8 : entry + 12] = struct.pack("<I", 10**6)
    path = save(tmp_path / "a.jpg", bytes(block))
    caplog.clear()
    found = parse(get_exif(enlarge(path, tmp_path / "b.jpg")))
    assert 270 not in found["main"]
    assert found["main"][315] == MAIN[315]
    assert caplog.messages == [f"{tmp_path / 'b.jpg'}: left out: damaged tags (270)"]


def test_directories_that_point_to_themselves_end(tmp_path):
    block = bytearray(pack_exif("<", {271: (ASCII, b"a camera\0")}, {36864: (UNDEFINED, b"0232")})[0])
    entry = block.index(struct.pack("<HHI", EXIF, 4, 1))
    block[entry + 8 : entry + 12] = block[4:8]  # the first directory
    found = parse(get_exif(enlarge(save(tmp_path / "a.jpg", bytes(block)), tmp_path / "b.jpg")))
    assert found["main"][271] == (ASCII, b"a camera\0")


def test_tags_that_all_point_to_the_whole_file_take_no_more_memory_than_it():
    size = 1_000_000
    entries = b"".join(struct.pack("<HHII", number, UNDEFINED, size, 8) for number in range(1, 1000))
    block = b"II*\0" + struct.pack("<I", size) + bytes(size - 8) + struct.pack("<H", 999) + entries + bytes(4)
    tags = read_tags(BytesIO(block))
    assert sum(len(tag.data) for tag in tags.main.values()) <= len(block)
    assert len(tags.left_out) == 998


def test_exif_in_a_png_text_becomes_exif_once(tmp_path):
    """ImageMagick's older way; left as a text, it would turn the upright result once more."""
    block = b"Exif\0\0" + make_exif("<", main={274: (SHORT, b"\6\0")})[0]
    text = PngInfo()
    text.add_text("Raw profile type exif", f"\nexif\n{len(block):8d}\n{block.hex()}\n", zip=True)
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png", pnginfo=text)
    result = enlarge(tmp_path / "a.png", tmp_path / "b.png")
    assert parse(get_exif(result))["main"][315] == MAIN[315]
    with Image.open(result) as image:
        assert image.size == (60, 80)
        assert not image.text
    assert open_photo(result).size == (60, 80)


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs exiftool")
def test_exiftool_reads_the_same(tmp_path):
    """A second opinion."""
    path = save(tmp_path / "a.jpg", make_exif(">")[0])
    results = [enlarge(path, tmp_path / name) for name in ("b.jpg", "b.png", "b.webp", "b.tif")]
    groups = ["-IFD0:all", "-ExifIFD:all", "-GPS:all", "-InteropIFD:all", "-u", "-a", "-G1", "-s"]
    before, *others = [
        {line for line in subprocess.check_output(["exiftool", *groups, file]).splitlines() if not says_pixels(line)}
        for file in (path, *results)
    ]
    assert len(before) > 15
    for lines, result in zip(others, results, strict=True):
        assert lines == before, result


def says_pixels(line):
    names = (b"ImageWidth", b"ImageHeight", b"SubjectArea", b"FocalPlane", b"Strip", b"RowsPer", b"Photometric",
             b"Planar", b"SamplesPer", b"BitsPer", b"Compression")  # fmt: skip
    return any(name in line for name in names)


@pytest.mark.parametrize("kind", ["avif", "heic"])
def test_photos_of_phones_keep_their_texts_and_places(tmp_path, kind):
    """Pillow encodes the EXIF of an AVIF again, and pillow-heif takes the orientation out of it."""
    main = {315: MAIN[315], 274: (SHORT, b"\6\0")}
    block, _ = pack_exif("<", main, {37396: (SHORT, struct.pack("<HH", 10, 20))})
    image = Image.new("RGB", (64, 32))
    if kind == "avif":
        if not features.check("avif"):
            pytest.skip("Pillow without AVIF")
        image.save(tmp_path / "a.avif", exif=b"Exif\0\0" + block)
        data = (tmp_path / "a.avif").read_bytes()  # which Pillow wrote with a question mark
        (tmp_path / "a.avif").write_bytes(data.replace(b"Jos?", "José".encode("latin-1")))
    else:
        pillow_heif = pytest.importorskip("pillow_heif")
        pillow_heif.from_pillow(image).save(tmp_path / "a.heic", exif=b"Exif\0\0" + block)
    found = parse(get_exif(enlarge(tmp_path / f"a.{kind}", tmp_path / "b.png")))
    assert Image.open(tmp_path / "b.png").size == (64, 128)
    assert found["main"][315] == MAIN[315]
    assert found["Exif"][37396] == (SHORT, struct.pack("<HH", 2 * (32 - 20), 2 * 10))
